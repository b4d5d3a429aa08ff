#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/first_responses.h"
#include "catalog/version_stats.h"
#include "request/batch_cut.h"
#include "runtime/metrics.h"
#include "runtime/recent_latencies.h"
#include "runtime/thread_slot.h"

namespace modelmill {

/// All counters of a version, in parts that are summed when read. Thread-safe.
struct VersionCounters {
  /// The parts of a request's time, as Triton tells them.
  enum PhaseIndex { kRequest, kQueue, kInput, kInfer, kOutput, kPhases };
  using Cell = std::atomic<uint64_t>;
  using Phase = VersionStats::Phase;
  static constexpr size_t kLatencyBuckets = 20;  // latency_bounds_us() and +Inf
  static constexpr size_t kSizeBuckets = 12;     // batch_size_bounds() and +Inf
  /// A power of two. Threads share a part when there are more of them; they only get in each other's way then.
  static constexpr size_t kParts = 16;

  struct Latency {
    Cell count{0};
    Cell ns{0};
    std::array<Cell, kLatencyBuckets> buckets{};

    void record(uint64_t duration_ns, uint64_t times);
  };

  struct alignas(64) Part {
    Cell queued{0};
    Cell dequeued{0};
    Cell rows{0};
    std::array<Latency, kPhases> phases;
    std::array<Cell, kFailureReasons> failures{};
    Cell fail_ns{0};
    Cell executions{0};
    std::array<Cell, kSizeBuckets> sizes{};
    Cell size_sum{0};
    Cell padded{0};
    std::array<Cell, kCutReasons> cuts{};
    Cell last_ms{0};
    mutable Mutex mutex;
    std::vector<std::pair<int64_t, VersionStats::Batch>> batches MM_GUARDED_BY(mutex);  // sorted by rows
  };

  std::array<Part, kParts> parts;
  /// Of the last minute, by phase; null: nobody asks.
  std::unique_ptr<std::array<RecentLatencies, kPhases>> recent;
  std::atomic<int> instances{-1};  // not known yet
  std::array<Cell, kScalingReasons> added{};
  std::array<Cell, kScalingReasons> removed{};
  std::atomic<int64_t> planned_rows{0}, planned_delay_ns{0};
  std::atomic<double> planned_rate{0};
  std::atomic<int64_t> load_ns{0};
  /// The times until requests' first responses; null: they are not told.
  std::atomic<FirstResponses*> firsts{nullptr};
  std::unique_ptr<FirstResponses> firsts_owner;  // of who sets it

  static void add(Cell& cell, uint64_t n) { cell.fetch_add(n, std::memory_order_relaxed); }
  static uint64_t get(const Cell& cell) { return cell.load(std::memory_order_acquire); }

  Part& here() { return parts[thread_slot() % kParts]; }
  /// That of the last minute of one phase, where it is wanted.
  void recall(PhaseIndex phase, uint64_t ns, uint64_t times, TimePoint now) {
    if (recent && times > 0) (*recent)[phase].record(ns, static_cast<uint32_t>(times), now);
  }

  template <typename Read>
  uint64_t sum(Read read) const {
    uint64_t total = 0;
    for (const Part& part : parts) total += get(read(part));
    return total;
  }
  uint64_t failures(FailureReason first, FailureReason last) const;
  uint64_t pending() const;
  Phase phase(int i) const;
  HistogramValue phase_histogram(int i) const;
  HistogramValue size_histogram() const;
  SummaryValue phase_summary(int i, const std::vector<double>& quantiles, TimePoint now) const;
};

}  // namespace modelmill
