#include "route/arm_stats.h"

namespace modelmill {
namespace {

MetricLabels labels(const std::string& route, const std::string& arm) { return {{"route", route}, {"arm", arm}}; }

}  // namespace

ArmStats::ArmStats(MetricRegistry& metrics, const std::string& route, const std::string& arm)
    : requests_(metrics.counter("modelmill_route_requests_total", "Requests that an arm of a route answered",
                                labels(route, arm))),
      failures_(metrics.counter("modelmill_route_failures_total", "Requests of them that failed", labels(route, arm))) {
}

std::shared_ptr<ArmStats> ArmStatsTable::of(const std::string& route, const std::string& arm) {
  const MutexLock lock(mutex_);
  std::erase_if(arms_, [](const auto& item) { return item.second.expired(); });
  std::weak_ptr<ArmStats>& kept = arms_[{route, arm}];
  std::shared_ptr<ArmStats> stats = kept.lock();
  if (!stats) kept = stats = std::make_shared<ArmStats>(metrics_, route, arm);
  return stats;
}

}  // namespace modelmill
