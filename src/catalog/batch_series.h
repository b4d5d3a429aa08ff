#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/mutex.h"
#include "runtime/metrics.h"

namespace modelmill {

/// How requests came together to executions, of all models: in the buckets of the metrics that TensorFlow Serving has
/// of its batching. Thread-safe. A request adds to two buckets of a part of the counts that few other threads use; an
/// execution to three, and takes one short lock, as little shared.
class BatchSeries {
 public:
  /// `thread_pool`: what TensorFlow Serving would call the threads that run batches.
  explicit BatchSeries(std::string thread_pool) : thread_pool_(std::move(thread_pool)) {}

  const std::string& thread_pool() const { return thread_pool_; }

  void request(Duration queued, int64_t rows);
  /// Of `rows`, `padded` were nobody's.
  void execution(int64_t rows, int64_t padded, Duration ran);

  struct View {
    HistogramValue queued_us, input_rows, processed_rows, ran_us;
    std::map<int64_t, HistogramValue> padding;  // by the rows of the execution
    uint64_t executions = 0;
  };
  View view() const;

  static std::span<const double> queue_bounds_us();
  static std::span<const double> row_bounds();
  static std::span<const double> run_bounds_us();

 private:
  static constexpr size_t kQueueBuckets = 53;
  static constexpr size_t kRowBuckets = 15;
  static constexpr size_t kRunBuckets = 21;
  static constexpr size_t kParts = 16;  // a power of two

  using Cell = std::atomic<uint64_t>;
  struct Padding {
    std::array<uint64_t, kRowBuckets> counts{};
    uint64_t sum = 0;
  };
  struct alignas(64) Part {
    std::array<Cell, kQueueBuckets> queued{};
    std::array<Cell, kRowBuckets> input{}, processed{};
    std::array<Cell, kRunBuckets> ran{};
    Cell queued_ns{0}, input_rows{0}, processed_rows{0}, ran_ns{0};
    mutable Mutex mutex;
    std::map<int64_t, Padding> padding MM_GUARDED_BY(mutex);
  };

  Part& here();

  const std::string thread_pool_;
  std::array<Part, kParts> parts_;
};

}  // namespace modelmill
