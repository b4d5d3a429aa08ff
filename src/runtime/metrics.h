#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace modelmill {

/// Labels of one series, in the order they are printed.
using MetricLabels = std::vector<std::pair<std::string, std::string>>;

/// Only goes up. Thread-safe, wait-free.
class Counter {
 public:
  void add(double n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Goes up and down. Thread-safe, wait-free.
class Gauge {
 public:
  void add(double n) { value_.fetch_add(n, std::memory_order_relaxed); }
  void set(double n) { value_.store(n, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

/// Counts in buckets with inclusive upper bounds, ascending; the last bucket is +Inf. Thread-safe, wait-free.
class Histogram {
 public:
  explicit Histogram(std::span<const double> bounds);
  void observe(double value);

  std::span<const double> bounds() const { return bounds_; }
  /// Of bucket i alone, not cumulated; i may be bounds().size(), the +Inf bucket.
  uint64_t bucket(size_t i) const { return counts_[i].load(std::memory_order_relaxed); }
  double sum() const { return sum_.load(std::memory_order_relaxed); }

 private:
  std::vector<double> bounds_;
  std::unique_ptr<std::atomic<uint64_t>[]> counts_;
  std::atomic<double> sum_{0};
};

/// What a histogram whose counts are kept elsewhere reads as: one count for each bound and one for +Inf, not cumulated.
struct HistogramValue {
  std::vector<uint64_t> counts;
  double sum = 0;
};

/// What a summary reads as: quantiles, each with what is at it, NaN where nothing was counted of late; and the count
/// and the sum of all that was ever counted.
struct SummaryValue {
  std::vector<std::pair<double, double>> quantiles;
  uint64_t count = 0;
  double sum = 0;
};

enum class MetricKind { kCounter, kGauge, kHistogram, kSummary };

/// The series of the process by name and labels, and their rendering as Prometheus text (exposition format 0.0.4).
/// Series are found or made under a lock, once, by those who then keep the shared pointer; a series leaves the output
/// when its last holder drops it (an unloaded model). Thread-safe.
class MetricRegistry {
 public:
  /// The same name must always come with the same kind and help.
  std::shared_ptr<Counter> counter(std::string_view name, std::string_view help, MetricLabels labels);
  std::shared_ptr<Gauge> gauge(std::string_view name, std::string_view help, MetricLabels labels);
  std::shared_ptr<Histogram> histogram(std::string_view name, std::string_view help, MetricLabels labels,
                                       std::span<const double> bounds);

  /// Series whose numbers are kept elsewhere and read at each rendering, on the rendering thread, under no lock. They
  /// last as long as the handle; `read` may be called until shortly after, so it owns what it reads. One that comes
  /// with the name and labels of an older one takes its place.
  using Handle = std::shared_ptr<void>;
  Handle counter_from(std::string_view name, std::string_view help, MetricLabels labels, std::function<double()> read);
  Handle gauge_from(std::string_view name, std::string_view help, MetricLabels labels, std::function<double()> read);
  Handle histogram_from(std::string_view name, std::string_view help, MetricLabels labels,
                        std::span<const double> bounds, std::function<HistogramValue()> read);
  Handle summary_from(std::string_view name, std::string_view help, MetricLabels labels,
                      std::function<SummaryValue()> read);

  /// Called before each rendering, to set gauges that are read rather than kept (memory, CPU).
  void on_collect(std::function<void()> collect);

  std::string render() const;

 private:
  struct Series;
  struct Family;
  Family& family(std::string_view name, std::string_view help, MetricKind kind) MM_REQUIRES(mutex_);
  template <typename T, typename Make>
  std::shared_ptr<T> find_or_make(std::string_view name, std::string_view help, MetricKind kind, MetricLabels labels,
                                  Make make);
  static void append_series(std::string& out, const Family& f, const std::string& labels, void* source, bool foreign);
  Handle replace(std::string_view name, std::string_view help, MetricKind kind, MetricLabels labels, Handle source);

  mutable Mutex mutex_;
  std::vector<std::unique_ptr<Family>> families_ MM_GUARDED_BY(mutex_);  // in order of first appearance
  std::vector<std::function<void()>> collectors_ MM_GUARDED_BY(mutex_);

 public:
  MetricRegistry();
  ~MetricRegistry();
};

/// Bucket bounds: microseconds from 10 us to 10 s in steps of 1-2-5, and batch sizes in powers of two up to 1,024.
std::span<const double> latency_bounds_us();
std::span<const double> batch_size_bounds();

}  // namespace modelmill
