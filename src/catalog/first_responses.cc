#include "catalog/first_responses.h"

#include <algorithm>
#include <utility>

#include "runtime/thread_slot.h"

namespace modelmill {

const std::vector<double>& FirstResponses::usual_bounds_ms() {
  static const std::vector<double> bounds{100, 500, 2'000, 5'000};
  return bounds;
}

FirstResponses::FirstResponses(std::vector<double> bounds_ms) : bounds_ms_(std::move(bounds_ms)) {
  for (Part& part : parts_) part.counts = std::vector<std::atomic<uint64_t>>(bounds_ms_.size() + 1);
}

void FirstResponses::record(uint64_t ns) {
  Part& part = parts_[thread_slot() % parts_.size()];
  const auto bound = std::lower_bound(bounds_ms_.begin(), bounds_ms_.end(), static_cast<double>(ns) / 1e6);
  part.counts[static_cast<size_t>(bound - bounds_ms_.begin())].fetch_add(1, std::memory_order_relaxed);
  part.ns.fetch_add(ns, std::memory_order_relaxed);
}

HistogramValue FirstResponses::value() const {
  HistogramValue value;
  value.counts.resize(bounds_ms_.size() + 1);
  for (const Part& part : parts_) {
    for (size_t i = 0; i < value.counts.size(); ++i) value.counts[i] += part.counts[i].load(std::memory_order_relaxed);
    value.sum += static_cast<double>(part.ns.load(std::memory_order_relaxed)) / 1e6;
  }
  return value;
}

}  // namespace modelmill
