#pragma once

#include <cstdint>
#include <string>

#include "runtime/metrics.h"

namespace modelmill {

/// What a shadow of a route has done so far. A value; that of several replicas, or of one before and after a restart,
/// is their merge.
struct ShadowCounts {
  uint64_t compared = 0;   // copies whose answers were compared
  uint64_t disagreed = 0;  // of them
  uint64_t shed = 0;       // copies that were given up for want of room, or for the sake of others
  uint64_t failed = 0;     // copies that the shadow answered with an error, or not in time
  /// Copies that were answered, and whose comparison by a function failed or was not done in time.
  uint64_t not_compared = 0;
  double worst = 0;  // OutputDistance::excess() of the worst answer; above 1 it disagrees
  /// Microseconds of the executions of the requests that were compared, in latency_bounds_us().
  HistogramValue primary_us, shadow_us;

  uint64_t copied() const { return compared + shed + failed + not_compared; }
  void merge(const ShadowCounts& other);
};

/// The upper bound of the bucket in which a quantile in [0, 1] of a histogram over latency_bounds_us() is; 0 when it is
/// empty, and the largest bound for what is beyond.
double latency_quantile_us(const HistogramValue& histogram, double quantile);

}  // namespace modelmill
