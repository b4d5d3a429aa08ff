#include "route/arm_stats.h"

namespace modelmill {
namespace {

MetricLabels labels_of(const std::string& route, const std::string& arm) { return {{"route", route}, {"arm", arm}}; }

}  // namespace

ArmStats::ArmStats(MetricRegistry& metrics, const std::string& route, const std::string& arm)
    : metrics_(metrics),
      labels_(labels_of(route, arm)),
      requests_(
          metrics.counter("modelmill_route_requests_total", "Requests that an arm of a route was asked", labels_)),
      failures_(metrics.counter("modelmill_route_failures_total", "Requests of them that failed", labels_)),
      breaker_(std::make_shared<CircuitBreaker>()),
      breaker_state_(metrics.gauge_from(
          "modelmill_route_breaker_state", "Of an arm's circuit breaker: 0 closed, 1 half-open, 2 open", labels_,
          [breaker = breaker_] { return static_cast<double>(static_cast<int>(breaker->state())); })) {}

void ArmStats::answered(const Status& status, Duration took) {
  requests_->add();
  if (!status.ok()) failures_->add();
  Watched* const watched = watched_.load(std::memory_order_acquire);
  if (watched == nullptr || status.code() == Code::kCancelled) return;
  watched->requests.fetch_add(1, std::memory_order_relaxed);
  if (status.ok())
    watched->latency.record(took);
  else
    watched->errors.fetch_add(1, std::memory_order_relaxed);
}

ArmCounts ArmStats::watched() {
  const MutexLock lock(mutex_);
  if (!kept_watched_) {
    kept_watched_ = std::make_unique<Watched>();
    watched_.store(kept_watched_.get(), std::memory_order_release);
  }
  ArmCounts counts;
  counts.errors = kept_watched_->errors.load(std::memory_order_relaxed);
  counts.requests = kept_watched_->requests.load(std::memory_order_relaxed);
  counts.latency = kept_watched_->latency.counts();
  return counts;
}

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
