#include "runtime/recent_latencies.h"

#include <memory>

#include "runtime/thread_slot.h"

namespace modelmill {

RecentLatencies::~RecentLatencies() {
  for (auto& part : parts_) delete part.load(std::memory_order_acquire);
}

RecentLatencies::Part& RecentLatencies::here() {
  std::atomic<Part*>& place = parts_[thread_slot() % kParts];
  Part* part = place.load(std::memory_order_acquire);
  if (part != nullptr) return *part;
  auto made = std::make_unique<Part>();
  if (!place.compare_exchange_strong(part, made.get(), std::memory_order_acq_rel)) return *part;
  return *made.release();
}

RecentLatencies::Slice* RecentLatencies::slice_of(Part& part, int64_t number) {
  Slice& slice = part.slices[static_cast<size_t>(number) % kSlices];
  int64_t there = slice.number.load(std::memory_order_acquire);
  if (there == number) return &slice;
  if (there == kEmptying || there > number) return nullptr;
  if (!slice.number.compare_exchange_strong(there, kEmptying, std::memory_order_acq_rel))
    return there == number ? &slice : nullptr;
  for (auto& count : slice.counts) count.store(0, std::memory_order_relaxed);
  slice.number.store(number, std::memory_order_release);
  return &slice;
}

void RecentLatencies::record(uint64_t ns, uint32_t count, TimePoint now) {
  if (Slice* const slice = slice_of(here(), number_of(now)))
    slice->counts[latency_bucket(ns)].fetch_add(count, std::memory_order_relaxed);
}

LatencyCounts RecentLatencies::counts(TimePoint now) const {
  const int64_t newest = number_of(now);
  LatencyCounts all(kLatencyHistogramBuckets);
  for (const auto& place : parts_) {
    const Part* const part = place.load(std::memory_order_acquire);
    if (part == nullptr) continue;
    for (const Slice& slice : part->slices) {
      const int64_t number = slice.number.load(std::memory_order_acquire);
      if (number < 0 || number + static_cast<int64_t>(kSlices) <= newest) continue;
      for (size_t bucket = 0; bucket < all.size(); ++bucket)
        all[bucket] += slice.counts[bucket].load(std::memory_order_relaxed);
    }
  }
  while (!all.empty() && all.back() == 0) all.pop_back();
  return all;
}

}  // namespace modelmill
