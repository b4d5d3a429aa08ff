#include "catalog/compute_times.h"

#include <algorithm>
#include <bit>

namespace modelmill {

void ComputeTimes::record(int64_t rows, Duration infer) {
  if (!wanted_.load(std::memory_order_relaxed)) return;
  const auto size = static_cast<int64_t>(std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(1, rows))));
  const MutexLock lock(mutex_);
  std::unique_ptr<LatencyHistogram>& histogram = by_rows_[size];
  if (!histogram) histogram = std::make_unique<LatencyHistogram>();
  histogram->record(infer);
}

std::map<int64_t, LatencyCounts> ComputeTimes::counts() {
  wanted_.store(true, std::memory_order_relaxed);
  std::map<int64_t, LatencyCounts> out;
  const MutexLock lock(mutex_);
  for (const auto& [rows, histogram] : by_rows_) out[rows] = histogram->counts();
  return out;
}

}  // namespace modelmill
