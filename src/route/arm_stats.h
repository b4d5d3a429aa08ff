#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "runtime/metrics.h"

namespace modelmill {

/// What went along one arm of a route: the counters of /metrics. Thread-safe, wait-free.
class ArmStats {
 public:
  ArmStats(MetricRegistry& metrics, const std::string& route, const std::string& arm);

  /// A request that the arm has answered, rightly or not.
  void answered(bool ok) {
    requests_->add();
    if (!ok) failures_->add();
  }

  double requests() const { return requests_->value(); }
  double failures() const { return failures_->value(); }

 private:
  const std::shared_ptr<Counter> requests_, failures_;
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
