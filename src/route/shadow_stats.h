#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "route/shadow_counts.h"
#include "route/shadow_examples.h"
#include "runtime/metrics.h"

namespace modelmill {

/// How a shadow of a route does: its counters, which /metrics has too, and its worst answers. Thread-safe; counting is
/// wait-free but for failures.
class ShadowStats {
 public:
  ShadowStats(MetricRegistry& metrics, const std::string& route, const std::string& shadow);

  /// Answers are compared by these rules from now on: what others found the worst is forgotten.
  void compare_by(const std::map<std::string, OutputComparison>& rules);
  /// A copy's answer is so far from the primary's (OutputDistance::excess()).
  void compared(bool disagrees, double excess);
  /// How long the executions of both took; 0 where one is not known.
  void took(Duration primary, Duration shadow);
  void shed() { shed_->add(); }
  void failed(const Status& why);
  /// The function that was to compare them did not.
  void not_compared(const Status& why);

  ShadowCounts counts() const;
  /// Of the failure that was last; empty: there was none.
  std::string last_failure() const;
  /// Of the last comparison that failed; empty: there was none.
  std::string last_comparison_failure() const;
  ShadowExamples& examples() { return examples_; }

 private:
  const std::shared_ptr<Counter> compared_, disagreed_, shed_, failed_, not_compared_;
  const std::shared_ptr<Histogram> primary_us_, shadow_us_;
  const std::shared_ptr<std::atomic<double>> worst_;  // its gauge reads it too
  const MetricRegistry::Handle worst_gauge_;
  ShadowExamples examples_;
  mutable Mutex mutex_;
  std::string last_failure_ MM_GUARDED_BY(mutex_);
  std::string last_comparison_failure_ MM_GUARDED_BY(mutex_);
  std::map<std::string, OutputComparison> rules_ MM_GUARDED_BY(mutex_);
};

/// The shadows' statistics by route and shadow: those of a shadow that is there already are shared, those that nobody
/// uses any more are gone. Thread-safe.
class ShadowStatsTable {
 public:
  explicit ShadowStatsTable(MetricRegistry& metrics) : metrics_(metrics) {}
  std::shared_ptr<ShadowStats> of(const std::string& route, const std::string& shadow);

 private:
  MetricRegistry& metrics_;
  Mutex mutex_;
  std::map<std::pair<std::string, std::string>, std::weak_ptr<ShadowStats>> shadows_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
