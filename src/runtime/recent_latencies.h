#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "runtime/latency_histogram.h"

namespace modelmill {

/// Counts durations in latency_bucket()s and forgets them after about a minute: what was recorded in the last 60 s is
/// there, and of the 15 s before that perhaps some. Thread-safe. Recording is one relaxed add to counts that few other
/// threads use, without a lock; once in 15 s a thread empties the oldest counts, and what others record in these
/// microseconds is lost. Takes memory (32 KiB a thread, for four threads at most) once something was recorded.
class RecentLatencies {
 public:
  RecentLatencies() = default;
  ~RecentLatencies();
  RecentLatencies(const RecentLatencies&) = delete;
  RecentLatencies& operator=(const RecentLatencies&) = delete;

  /// `count` durations of `ns` that ended at `now`, or shortly before.
  void record(uint64_t ns, uint32_t count, TimePoint now);
  LatencyCounts counts(TimePoint now) const;

 private:
  static constexpr int64_t kNone = -1;
  static constexpr int64_t kEmptying = -2;
  /// What was recorded in 15 s.
  struct Slice {
    std::atomic<int64_t> number{kNone};  // which 15 s
    std::array<std::atomic<uint32_t>, kLatencyHistogramBuckets> counts{};
  };
  static constexpr Duration kLength = std::chrono::seconds(15);
  static constexpr size_t kSlices = 5;  // four of the past, and the one that it is
  static constexpr size_t kParts = 4;   // a power of two
  struct Part {
    std::array<Slice, kSlices> slices;
  };

  static int64_t number_of(TimePoint now) { return now.time_since_epoch() / kLength; }
  Part& here();
  /// The slice of that number, emptied first where an older one has its place; null where it is being emptied, or a
  /// newer one is there.
  static Slice* slice_of(Part& part, int64_t number);

  std::array<std::atomic<Part*>, kParts> parts_{};  // null: no thread has recorded there
};

}  // namespace modelmill
