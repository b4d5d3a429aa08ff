#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace modelmill {

/// Counts of durations in buckets that grow with what they hold: steps of 256 ns up to 16 us, then at most 1.6% wide,
/// up to 275 s, beyond which all are in the last. By bucket, from the first; those after the end are 0.
using LatencyCounts = std::vector<uint64_t>;

inline constexpr size_t kLatencyHistogramBuckets = 64 * 25;

/// The bucket of a duration.
size_t latency_bucket(uint64_t ns);
/// What is in a bucket is shorter than this, and not shorter than that of the one before.
uint64_t latency_bucket_end_ns(size_t bucket);

uint64_t total_of(const LatencyCounts& counts);
/// The bucket in which the quantile is, for p in (0, 1) and at least one duration.
size_t quantile_bucket(const LatencyCounts& counts, double p);
/// Its middle, in microseconds; 0 where nothing was counted.
double quantile_us(const LatencyCounts& counts, double p);
void add_to(LatencyCounts& into, const LatencyCounts& more);

/// Counts durations. Thread-safe, wait-free.
class LatencyHistogram {
 public:
  void record(Duration duration);
  LatencyCounts counts() const;

 private:
  using Counts = std::array<std::atomic<uint64_t>, kLatencyHistogramBuckets>;
  struct alignas(64) Part {
    Counts counts{};
  };
  std::array<Part, 4> parts_;  // of a thread each, more or less
};

}  // namespace modelmill
