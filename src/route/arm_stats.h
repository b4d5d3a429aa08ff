#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "catalog/arm_counts.h"
#include "model/route_definition.h"
#include "route/circuit_breaker.h"
#include "runtime/metrics.h"

namespace modelmill {

/// How one arm of a route does: the counters of /metrics, and its breaker. Thread-safe; wait-free but for what happens
/// when an arm fails.
class ArmStats {
 public:
  ArmStats(MetricRegistry& metrics, const std::string& route, const std::string& arm);

  /// A request that the arm was asked, and has answered, `took` after that. With CANCELLED it was the client who ended
  /// it.
  void answered(const Status& status, Duration took);

  /// It is left for another; `why`: the failure's name, or "open" where its breaker let nobody through.
  void left(std::string_view why);

  CircuitBreaker& breaker() { return *breaker_; }

  double requests() const { return requests_->value(); }
  double failures() const { return failures_->value(); }

  /// What was counted since it is watched, which it is from the first call on: until then nobody pays for latencies.
  ArmCounts watched();

 private:
  MetricRegistry& metrics_;
  const MetricLabels labels_;
  const std::shared_ptr<Counter> requests_, failures_;
  const std::shared_ptr<CircuitBreaker> breaker_;  // its gauge reads it too
  const MetricRegistry::Handle breaker_state_;

  Mutex mutex_;
  struct Watched {
    std::atomic<uint64_t> requests{0}, errors{0};
    LatencyHistogram latency;
  };
  std::atomic<Watched*> watched_{nullptr};
  std::unique_ptr<Watched> kept_watched_ MM_GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<Counter>, std::less<>> left_ MM_GUARDED_BY(mutex_);  // by why; made when needed
};

/// The arms' counters by route and arm: those of an arm that is used already are shared, those that nobody uses any
/// more are gone. Thread-safe.
class ArmStatsTable {
 public:
  explicit ArmStatsTable(MetricRegistry& metrics) : metrics_(metrics) {}
  std::shared_ptr<ArmStats> of(const std::string& route, const std::string& arm);

 private:
  MetricRegistry& metrics_;
  Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::weak_ptr<ArmStats>> arms_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
