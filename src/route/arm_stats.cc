#include "route/arm_stats.h"

namespace modelmill {
namespace {

MetricLabels labels(const std::string& route, const std::string& arm) { return {{"route", route}, {"arm", arm}}; }

}  // namespace

ArmStats::ArmStats(MetricRegistry& metrics, const std::string& route, const std::string& arm)
    : metrics_(metrics),
      labels_(labels(route, arm)),
      requests_(
          metrics.counter("modelmill_route_requests_total", "Requests that an arm of a route was asked", labels_)),
      failures_(metrics.counter("modelmill_route_failures_total", "Requests of them that failed", labels_)),
      breaker_(std::make_shared<CircuitBreaker>()),
      breaker_state_(metrics.gauge_from(
          "modelmill_route_breaker_state", "Of an arm's circuit breaker: 0 closed, 1 half-open, 2 open", labels_,
          [breaker = breaker_] { return static_cast<double>(static_cast<int>(breaker->state())); })) {}

void ArmStats::left(std::string_view why) {
  std::shared_ptr<Counter> counter;
  {
    const MutexLock lock(mutex_);
    auto it = left_.find(why);
    if (it == left_.end()) {
      MetricLabels with_reason = labels_;
      with_reason.emplace_back("reason", why);
      it = left_
               .emplace(why, metrics_.counter("modelmill_route_fallbacks_total",
                                              "Requests for which an arm was left for another", with_reason))
               .first;
    }
    counter = it->second;
  }
  counter->add();
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
