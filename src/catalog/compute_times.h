#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>

#include "base/mutex.h"
#include "runtime/latency_histogram.h"

namespace modelmill {

/// How long executions of each size took to compute, since somebody first asked: until then it keeps nothing.
/// Thread-safe.
class ComputeTimes {
 public:
  void record(int64_t rows, Duration infer);
  /// By rows, rounded up to a power of two.
  std::map<int64_t, LatencyCounts> counts();

 private:
  std::atomic<bool> wanted_{false};
  Mutex mutex_;
  std::map<int64_t, std::unique_ptr<LatencyHistogram>> by_rows_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
