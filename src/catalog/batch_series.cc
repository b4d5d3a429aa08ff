#include "catalog/batch_series.h"

#include <algorithm>

#include "runtime/thread_slot.h"

namespace modelmill {
namespace {

template <size_t N>
std::array<double, N> powers(double first, double factor) {
  std::array<double, N> out{};
  for (double& bound : out) {
    bound = first;
    first *= factor;
  }
  return out;
}

uint64_t not_negative(int64_t n) { return static_cast<uint64_t>(std::max<int64_t>(0, n)); }

template <typename Buckets>
auto& bucket(Buckets& buckets, std::span<const double> bounds, double value) {
  return buckets[static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin())];
}

void add(std::atomic<uint64_t>& cell, uint64_t n) { cell.fetch_add(n, std::memory_order_relaxed); }

template <typename Buckets>
void merge(HistogramValue& into, const Buckets& counts, double sum) {
  into.counts.resize(counts.size());
  for (size_t i = 0; i < counts.size(); ++i) into.counts[i] += counts[i];
  into.sum += sum;
}

}  // namespace

std::span<const double> BatchSeries::queue_bounds_us() {
  static const auto bounds = powers<kQueueBuckets - 1>(100, 1.2);
  return bounds;
}

std::span<const double> BatchSeries::row_bounds() {
  static const auto bounds = powers<kRowBuckets - 1>(1, 2);
  return bounds;
}

std::span<const double> BatchSeries::run_bounds_us() {
  static const auto bounds = powers<kRunBuckets - 1>(1'000, 2);
  return bounds;
}

BatchSeries::Part& BatchSeries::here() { return parts_[thread_slot() % kParts]; }

void BatchSeries::request(Duration queued, int64_t rows) {
  Part& part = here();
  const uint64_t ns = not_negative(to_ns(queued));
  add(bucket(part.queued, queue_bounds_us(), static_cast<double>(ns) / 1e3), 1);
  add(part.queued_ns, ns);
  add(bucket(part.input, row_bounds(), static_cast<double>(rows)), 1);
  add(part.input_rows, not_negative(rows));
}

void BatchSeries::execution(int64_t rows, int64_t padded, Duration ran) {
  Part& part = here();
  const uint64_t ns = not_negative(to_ns(ran));
  add(bucket(part.processed, row_bounds(), static_cast<double>(rows)), 1);
  add(part.processed_rows, not_negative(rows));
  add(bucket(part.ran, run_bounds_us(), static_cast<double>(ns) / 1e3), 1);
  add(part.ran_ns, ns);
  const MutexLock lock(part.mutex);
  Padding& padding = part.padding[rows];
  ++bucket(padding.counts, row_bounds(), static_cast<double>(padded));
  padding.sum += not_negative(padded);
}

BatchSeries::View BatchSeries::view() const {
  View view;
  const auto sum = [](const Cell& cell, double unit) { return static_cast<double>(cell.load()) / unit; };
  for (const Part& part : parts_) {
    merge(view.queued_us, part.queued, sum(part.queued_ns, 1e3));
    merge(view.input_rows, part.input, sum(part.input_rows, 1));
    merge(view.processed_rows, part.processed, sum(part.processed_rows, 1));
    merge(view.ran_us, part.ran, sum(part.ran_ns, 1e3));
    const MutexLock lock(part.mutex);
    for (const auto& [rows, padding] : part.padding)
      merge(view.padding[rows], padding.counts, static_cast<double>(padding.sum));
  }
  for (const uint64_t count : view.processed_rows.counts) view.executions += count;
  return view;
}

}  // namespace modelmill
