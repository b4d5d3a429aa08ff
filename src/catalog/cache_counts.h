#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "catalog/series_settings.h"
#include "runtime/metrics.h"
#include "runtime/recent_latencies.h"
#include "runtime/thread_slot.h"

namespace modelmill {

/// What became of a version's requests at the cache of answers, and the time that it took: of a hit to find the answer,
/// of a miss to look for it and to keep it. In parts that are summed when read. Thread-safe.
class CacheCounts {
 public:
  enum Outcome { kHit, kMiss };
  static constexpr size_t kOutcomes = 2;

  /// `recent`: those of the last minute can be asked for.
  explicit CacheCounts(bool recent);

  void record(Outcome outcome, uint64_t ns, TimePoint now);
  uint64_t count(Outcome outcome) const;
  uint64_t ns(Outcome outcome) const;
  SummaryValue summary(Outcome outcome, const std::vector<double>& quantiles, TimePoint now) const;

 private:
  static constexpr size_t kParts = 16;
  struct alignas(64) Part {
    std::array<std::atomic<uint64_t>, kOutcomes> count{};
    std::array<std::atomic<uint64_t>, kOutcomes> ns{};
  };

  std::array<Part, kParts> parts_;
  std::unique_ptr<std::array<RecentLatencies, kOutcomes>> recent_;  // null: nobody asks
};

/// Triton's series of them. `time` must outlive the handles.
std::vector<MetricRegistry::Handle> add_cache_series(const std::shared_ptr<const CacheCounts>& counts,
                                                     MetricRegistry& registry, const MetricLabels& labels,
                                                     const SeriesSettings& settings, TimeSource& time);

}  // namespace modelmill
