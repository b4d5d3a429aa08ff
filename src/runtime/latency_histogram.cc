#include "runtime/latency_histogram.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <numeric>

#include "runtime/thread_slot.h"

namespace modelmill {
namespace {

constexpr int kUnitBits = 8;  // 256 ns
constexpr int kStepBits = 6;  // 64 buckets an octave
constexpr uint64_t kSteps = uint64_t{1} << kStepBits;

}  // namespace

size_t latency_bucket(uint64_t ns) {
  const uint64_t units = ns >> kUnitBits;
  if (units < kSteps) return static_cast<size_t>(units);
  const int exponent = std::bit_width(units) - 1 - kStepBits;
  const uint64_t bucket = static_cast<uint64_t>(exponent) * kSteps + (units >> exponent);
  return static_cast<size_t>(std::min<uint64_t>(bucket, kLatencyHistogramBuckets - 1));
}

uint64_t latency_bucket_end_ns(size_t bucket) {
  if (bucket < kSteps) return (bucket + 1) << kUnitBits;
  const uint64_t exponent = bucket / kSteps - 1;
  return (bucket - exponent * kSteps + 1) << (exponent + kUnitBits);
}

uint64_t total_of(const LatencyCounts& counts) { return std::accumulate(counts.begin(), counts.end(), uint64_t{0}); }

size_t quantile_bucket(const LatencyCounts& counts, double p) {
  const double wanted = p * static_cast<double>(total_of(counts));
  uint64_t below = 0;
  for (size_t bucket = 0; bucket < counts.size(); ++bucket) {
    below += counts[bucket];
    if (static_cast<double>(below) >= wanted && below > 0) return bucket;
  }
  return counts.empty() ? 0 : counts.size() - 1;
}

double quantile_us(const LatencyCounts& counts, double p) {
  if (total_of(counts) == 0) return 0;
  const size_t bucket = quantile_bucket(counts, p);
  const auto begin = static_cast<double>(bucket == 0 ? 0 : latency_bucket_end_ns(bucket - 1));
  return (begin + static_cast<double>(latency_bucket_end_ns(bucket))) / 2e3;
}

void add_to(LatencyCounts& into, const LatencyCounts& more) {
  if (into.size() < more.size()) into.resize(more.size());
  std::transform(more.begin(), more.end(), into.begin(), into.begin(), std::plus<>());
}

void LatencyHistogram::record(Duration duration) {
  const auto ns = static_cast<uint64_t>(std::max<int64_t>(0, to_ns(duration)));
  Counts& counts = parts_[thread_slot() % parts_.size()].counts;
  counts[latency_bucket(ns)].fetch_add(1, std::memory_order_relaxed);
}

LatencyCounts LatencyHistogram::counts() const {
  LatencyCounts all(kLatencyHistogramBuckets);
  for (const Part& part : parts_)
    for (size_t bucket = 0; bucket < all.size(); ++bucket)
      all[bucket] += part.counts[bucket].load(std::memory_order_relaxed);
  while (!all.empty() && all.back() == 0) all.pop_back();
  return all;
}

}  // namespace modelmill
