#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "runtime/metrics.h"

namespace modelmill {

/// The counters of one of a version's entry points, where it has several; all else is counted for the version. They
/// survive a reload of the same version. Thread-safe.
class SignatureStats {
 public:
  /// `labels` name the version and the entry point.
  SignatureStats(MetricRegistry& registry, const MetricLabels& labels);

  /// A request was for it.
  void asked() { counts_->requests.fetch_add(1, std::memory_order_relaxed); }
  /// It has so many instances from now on.
  void instances_are(int count) { counts_->instances.store(count, std::memory_order_relaxed); }
  uint64_t requests() const { return counts_->requests.load(std::memory_order_relaxed); }

 private:
  struct Counts {
    std::atomic<uint64_t> requests{0};
    std::atomic<int> instances{0};
  };
  std::shared_ptr<Counts> counts_;  // shared with the readers of the series
  std::vector<MetricRegistry::Handle> series_;
};

}  // namespace modelmill
