#include "catalog/version_stats.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <ctime>

#include "base/mutex.h"
#include "runtime/thread_slot.h"

namespace modelmill {
namespace {

enum PhaseIndex { kRequest, kQueue, kInput, kInfer, kOutput, kPhases };

constexpr size_t kLatencyBuckets = 20;                                     // latency_bounds_us() and +Inf
constexpr size_t kSizeBuckets = 12;                                        // batch_size_bounds() and +Inf
constexpr std::array<double, 4> kFirstResponseMs{100, 500, 2'000, 5'000};  // Triton's
/// A power of two. Threads share a part when there are more of them; they only get in each other's way then.
constexpr size_t kParts = 16;

using Cell = std::atomic<uint64_t>;

void add(Cell& cell, uint64_t n) { cell.fetch_add(n, std::memory_order_relaxed); }
uint64_t get(const Cell& cell) { return cell.load(std::memory_order_acquire); }

uint64_t ns_between(TimePoint from, TimePoint to) {
  return from == TimePoint{} || to <= from ? 0 : static_cast<uint64_t>(to_ns(to - from));
}

size_t bucket_of(std::span<const double> bounds, double value) {
  return static_cast<size_t>(std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin());
}

/// The time of day to a few milliseconds, for a fraction of what exact time costs.
uint64_t unix_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

MetricLabels labels_of(const std::string& model, int64_t version, const std::map<std::string, std::string>& extra) {
  MetricLabels labels{{"model", model}, {"version", std::to_string(version)}};
  for (const auto& [name, value] : extra) labels.emplace_back(name, value);
  return labels;
}

/// The values of Triton's `reason` label, each with the reasons that it counts, from the first to the last.
struct TritonFailure {
  const char* name;
  FailureReason first;
  FailureReason last;
};
constexpr std::array<TritonFailure, 4> kTritonFailures{{
    {"REJECTED", FailureReason::kRejected, FailureReason::kRejected},
    {"CANCELED", FailureReason::kClientGone, FailureReason::kDeadline},
    {"BACKEND", FailureReason::kBackend, FailureReason::kBackend},
    {"OTHER", FailureReason::kOther, FailureReason::kOther},
}};

/// The changes of the number of instances that there can be.
struct ScalingChange {
  ScalingReason reason;
  bool up;
};
constexpr std::array<ScalingChange, 16> kScalingChanges{{
    {ScalingReason::kBusy, true},
    {ScalingReason::kTrial, true},
    {ScalingReason::kMeasured, true},
    {ScalingReason::kMeasured, false},
    {ScalingReason::kLate, false},
    {ScalingReason::kNoGain, false},
    {ScalingReason::kEnough, false},
    {ScalingReason::kRequest, true},
    {ScalingReason::kIdle, false},
    {ScalingReason::kLimits, true},
    {ScalingReason::kLimits, false},
    {ScalingReason::kClient, true},
    {ScalingReason::kClient, false},
    {ScalingReason::kUnload, true},
    {ScalingReason::kReload, true},
    {ScalingReason::kReload, false},
}};

}  // namespace

/// All counters, in parts that are summed when read.
struct VersionStats::Rep {
  struct Latency {
    Cell count{0};
    Cell ns{0};
    std::array<Cell, kLatencyBuckets> buckets{};

    void record(uint64_t duration_ns, uint64_t times) {
      if (times == 0) return;
      add(count, times);
      add(ns, duration_ns * times);
      add(buckets[bucket_of(latency_bounds_us(), static_cast<double>(duration_ns) / 1e3)], times);
    }
  };

  struct alignas(64) Part {
    Cell queued{0};
    Cell dequeued{0};
    Cell rows{0};
    std::array<Latency, kPhases> phases;
    std::array<Cell, kFailureReasons> failures{};
    Cell fail_ns{0};
    std::array<Cell, kFirstResponseMs.size() + 1> firsts{};
    Cell first_ns{0};
    Cell executions{0};
    std::array<Cell, kSizeBuckets> sizes{};
    Cell size_sum{0};
    Cell padded{0};
    std::array<Cell, kCutReasons> cuts{};
    Cell last_ms{0};
    mutable Mutex mutex;
    std::vector<std::pair<int64_t, Batch>> batches MM_GUARDED_BY(mutex);  // sorted by rows
  };

  std::array<Part, kParts> parts;
  std::atomic<int> instances{-1};  // not known yet
  std::array<Cell, kScalingReasons> added{};
  std::array<Cell, kScalingReasons> removed{};
  std::atomic<int64_t> planned_rows{0}, planned_delay_ns{0};
  std::atomic<double> planned_rate{0};
  std::atomic<int64_t> load_ns{0};
  std::atomic<bool> tells_first_responses{false};

  Part& here() { return parts[thread_slot() % kParts]; }

  template <typename Read>
  uint64_t sum(Read read) const {
    uint64_t total = 0;
    for (const Part& part : parts) total += get(read(part));
    return total;
  }
  uint64_t failures(FailureReason first, FailureReason last) const {
    uint64_t total = 0;
    for (auto reason = static_cast<size_t>(first); reason <= static_cast<size_t>(last); ++reason)
      total += sum([reason](const Part& p) -> const Cell& { return p.failures[reason]; });
    return total;
  }
  uint64_t pending() const {
    // Dequeued first: a request counted there was counted as queued before, so the difference is never negative.
    const uint64_t out = sum([](const Part& p) -> const Cell& { return p.dequeued; });
    const uint64_t in = sum([](const Part& p) -> const Cell& { return p.queued; });
    return in > out ? in - out : 0;
  }
  Phase phase(int i) const {
    return {sum([i](const Part& p) -> const Cell& { return p.phases[i].count; }),
            sum([i](const Part& p) -> const Cell& { return p.phases[i].ns; })};
  }
  HistogramValue phase_histogram(int i) const {
    HistogramValue value;
    for (size_t b = 0; b < kLatencyBuckets; ++b)
      value.counts.push_back(sum([i, b](const Part& p) -> const Cell& { return p.phases[i].buckets[b]; }));
    value.sum = static_cast<double>(phase(i).ns) / 1e3;
    return value;
  }
  HistogramValue first_histogram() const {
    HistogramValue value;
    for (size_t b = 0; b <= kFirstResponseMs.size(); ++b)
      value.counts.push_back(sum([b](const Part& p) -> const Cell& { return p.firsts[b]; }));
    value.sum = static_cast<double>(sum([](const Part& p) -> const Cell& { return p.first_ns; })) / 1e6;
    return value;
  }
  HistogramValue size_histogram() const {
    HistogramValue value;
    for (size_t b = 0; b < kSizeBuckets; ++b)
      value.counts.push_back(sum([b](const Part& p) -> const Cell& { return p.sizes[b]; }));
    value.sum = static_cast<double>(sum([](const Part& p) -> const Cell& { return p.size_sum; }));
    return value;
  }

  std::vector<MetricRegistry::Handle> register_series(const std::shared_ptr<const Rep>& self, MetricRegistry& registry,
                                                      const MetricLabels& labels) const;
};

std::vector<MetricRegistry::Handle> VersionStats::Rep::register_series(const std::shared_ptr<const Rep>& self,
                                                                       MetricRegistry& registry,
                                                                       const MetricLabels& labels) const {
  std::vector<MetricRegistry::Handle> out;
  const auto with = [&](const char* name, const char* value) {
    MetricLabels more = labels;
    more.emplace_back(name, value);
    return more;
  };
  const auto number = [](uint64_t n) { return static_cast<double>(n); };
  const auto counter = [&](const char* name, const char* help, auto read) {
    out.push_back(registry.counter_from(name, help, labels, [self, read, number] {
      return number(self->sum([read](const Part& p) -> const Cell& { return read(p); }));
    }));
  };
  counter("nv_inference_request_success", "Inference requests that succeeded",
          [](const Part& p) -> const Cell& { return p.phases[kRequest].count; });
  for (const TritonFailure& failure : kTritonFailures) {
    out.push_back(registry.counter_from(
        "nv_inference_request_failure", "Inference requests that failed, by reason", with("reason", failure.name),
        [self, failure, number] { return number(self->failures(failure.first, failure.last)); }));
  }
  for (const auto& [name, reason] :
       {std::pair("client gone", FailureReason::kClientGone), std::pair("deadline", FailureReason::kDeadline)}) {
    out.push_back(registry.counter_from(
        "modelmill_request_cancelled_total", "Requests that ended because nobody wanted their answer any more, by why",
        with("reason", name), [self, reason = reason, number] { return number(self->failures(reason, reason)); }));
  }
  counter("nv_inference_count", "Inferences done: a request with a batch of n counts n",
          [](const Part& p) -> const Cell& { return p.rows; });
  counter("nv_inference_exec_count", "Executions of the model: a batch of requests counts one",
          [](const Part& p) -> const Cell& { return p.executions; });
  static constexpr const char* kPhaseNames[kPhases] = {"request", "queue", "compute_input", "compute_infer",
                                                       "compute_output"};
  static constexpr const char* kPhaseHelp[kPhases] = {"whole request", "waiting in the queue", "preparing inputs",
                                                      "running the model", "taking outputs"};
  for (int i = 0; i < kPhases; ++i) {
    const std::string name = std::string("nv_inference_") + kPhaseNames[i] + "_duration_us";
    out.push_back(registry.counter_from(name, std::string("Microseconds spent: ") + kPhaseHelp[i], labels, [self, i] {
      const uint64_t whole_us = self->phase(i).ns / 1'000;
      return static_cast<double>(whole_us);
    }));
  }
  for (int i = 0; i < kPhases; ++i) {
    const std::string name = std::string("nv_inference_") + kPhaseNames[i] + "_duration_histogram_us";
    out.push_back(registry.histogram_from(name, std::string("Microseconds a request: ") + kPhaseHelp[i], labels,
                                          latency_bounds_us(), [self, i] { return self->phase_histogram(i); }));
  }
  out.push_back(registry.gauge_from("nv_inference_pending_request_count", "Requests that wait to be executed", labels,
                                    [self, number] { return number(self->pending()); }));
  out.push_back(registry.histogram_from("modelmill_batch_size", "Rows of an execution", labels, batch_size_bounds(),
                                        [self] { return self->size_histogram(); }));
  counter("modelmill_padded_rows_total", "Rows that filled executions up to an allowed size",
          [](const Part& p) -> const Cell& { return p.padded; });
  out.push_back(registry.gauge_from("modelmill_instances", "Instances that a version has", labels,
                                    [self] { return static_cast<double>(std::max(0, self->instances.load())); }));
  out.push_back(registry.gauge_from("nv_model_load_duration_secs", "Seconds that loading a version took", labels,
                                    [self] { return static_cast<double>(self->load_ns.load()) / 1e9; }));
  for (const ScalingChange& change : kScalingChanges) {
    MetricLabels more = with("direction", change.up ? "up" : "down");
    more.emplace_back("reason", scaling_reason_name(change.reason));
    const auto index = static_cast<size_t>(change.reason);
    out.push_back(registry.counter_from(
        "modelmill_instance_changes_total", "Instances made and taken away while serving, by why", more,
        [self, index, up = change.up, number] { return number(get((up ? self->added : self->removed)[index])); }));
  }
  for (int reason = 0; reason < kCutReasons; ++reason) {
    out.push_back(registry.counter_from(
        "modelmill_batch_cut_total", "Batches, by why they were cut when they were",
        with("reason", cut_reason_name(static_cast<CutReason>(reason))), [self, reason, number] {
          return number(self->sum([reason](const Part& p) -> const Cell& { return p.cuts[reason]; }));
        }));
  }
  return out;
}

VersionStats::VersionStats(MetricRegistry& registry, const std::string& model, int64_t version,
                           const std::map<std::string, std::string>& extra_labels)
    : rep_(std::make_shared<Rep>()), registry_(registry), labels_(labels_of(model, version, extra_labels)) {
  series_ = rep_->register_series(rep_, registry, labels_);
}

VersionStats::~VersionStats() = default;

void VersionStats::instances_are(int count, ScalingReason reason) {
  const int before = rep_->instances.exchange(count);
  if (before < 0) return;  // those that it was loaded with
  const auto index = static_cast<size_t>(reason);
  if (count > before) add(rep_->added[index], static_cast<uint64_t>(count - before));
  if (count < before) add(rep_->removed[index], static_cast<uint64_t>(before - count));
}

void VersionStats::planned(const InstanceOption* option) {
  const MutexLock lock(plan_mutex_);
  if (!option) return plan_series_.clear();
  rep_->planned_rows = option->rows;
  rep_->planned_delay_ns = to_ns(option->delay);
  rep_->planned_rate = option->rate;
  if (!plan_series_.empty()) return;
  const auto gauge = [this](const char* name, const char* help, auto read) {
    return registry_.gauge_from(name, help, labels_, [rep = rep_, read] { return read(*rep); });
  };
  plan_series_.push_back(gauge("modelmill_objective_batch_rows",
                               "Rows of a batch, at most, as planned for the latency objective",
                               [](const Rep& rep) { return static_cast<double>(rep.planned_rows.load()); }));
  plan_series_.push_back(gauge("modelmill_objective_delay_us",
                               "Microseconds that a batch may wait for more rows, at most, likewise",
                               [](const Rep& rep) { return static_cast<double>(rep.planned_delay_ns.load()) / 1e3; }));
  plan_series_.push_back(gauge("modelmill_objective_rows_per_second",
                               "Rows a second that the instances are expected to sustain within it",
                               [](const Rep& rep) { return rep.planned_rate.load(); }));
}

SignatureStats& VersionStats::signature(const std::string& name) {
  const MutexLock lock(signatures_mutex_);
  std::unique_ptr<SignatureStats>& stats = signatures_[name];
  if (!stats) {
    MetricLabels labels = labels_;
    labels.emplace_back("signature", name);
    stats = std::make_unique<SignatureStats>(registry_, labels);
  }
  return *stats;
}

void VersionStats::tell_first_responses() {
  const MutexLock lock(plan_mutex_);
  if (first_series_) return;
  rep_->tells_first_responses = true;
  first_series_ = registry_.histogram_from("nv_inference_first_response_histogram_ms",
                                           "Milliseconds from a request to its first response", labels_,
                                           kFirstResponseMs, [rep = rep_] { return rep->first_histogram(); });
}

void VersionStats::loaded_in(Duration time) { rep_->load_ns = to_ns(time); }
Duration VersionStats::load_time() const { return std::chrono::nanoseconds(rep_->load_ns.load()); }

void VersionStats::request_queued() { add(rep_->here().queued, 1); }
void VersionStats::requests_dequeued(uint64_t n) { rep_->here().dequeued.fetch_add(n, std::memory_order_release); }

void VersionStats::request_succeeded(const RequestTimes& times, int64_t rows) {
  Rep::Part& part = rep_->here();
  const TimePoint begin = times.received == TimePoint{} ? times.queued : times.received;
  part.phases[kRequest].record(ns_between(begin, times.compute_end), 1);
  part.phases[kQueue].record(ns_between(times.queued, times.compute_start), 1);
  add(part.rows, static_cast<uint64_t>(rows));
  if (!rep_->tells_first_responses.load(std::memory_order_relaxed)) return;
  const TimePoint first = times.first_response == TimePoint{} ? times.compute_end : times.first_response;
  const uint64_t ns = ns_between(begin, first);
  add(part.firsts[bucket_of(kFirstResponseMs, static_cast<double>(ns) / 1e6)], 1);
  add(part.first_ns, ns);
}

void VersionStats::request_failed(const RequestTimes& times, FailureReason reason) {
  Rep::Part& part = rep_->here();
  const TimePoint begin = times.received == TimePoint{} ? times.queued : times.received;
  add(part.failures[static_cast<size_t>(reason)], 1);
  add(part.fail_ns, ns_between(begin, times.compute_end));
}

void VersionStats::executed(const ExecutionRecord& record, CutReason reason) {
  compute_times_.record(record.rows, record.infer);
  Rep::Part& part = rep_->here();
  const auto ns = [](Duration d) { return static_cast<uint64_t>(std::max<int64_t>(0, to_ns(d))); };
  const auto good = static_cast<uint64_t>(record.requests - record.failed);
  part.phases[kInput].record(ns(record.input), good);
  part.phases[kInfer].record(ns(record.infer), good);
  part.phases[kOutput].record(ns(record.output), good);
  add(part.executions, 1);
  add(part.sizes[bucket_of(batch_size_bounds(), static_cast<double>(record.rows))], 1);
  add(part.size_sum, static_cast<uint64_t>(record.rows));
  if (record.padded > 0) add(part.padded, static_cast<uint64_t>(record.padded));
  add(part.cuts[static_cast<size_t>(reason)], 1);
  part.last_ms.store(unix_milliseconds(), std::memory_order_relaxed);

  MutexLock lock(part.mutex);
  auto it = std::lower_bound(part.batches.begin(), part.batches.end(), record.rows,
                             [](const auto& batch, int64_t rows) { return batch.first < rows; });
  if (it == part.batches.end() || it->first != record.rows) it = part.batches.insert(it, {record.rows, Batch{}});
  const auto count = [](Phase& phase, uint64_t duration_ns) {
    ++phase.count;
    phase.ns += duration_ns;
  };
  count(it->second.input, ns(record.input));
  count(it->second.infer, ns(record.infer));
  count(it->second.output, ns(record.output));
}

VersionStats::View VersionStats::view() const {
  View view;
  const Rep& rep = *rep_;
  view.pending = rep.pending();
  view.inference_count = rep.sum([](const Rep::Part& p) -> const Cell& { return p.rows; });
  view.execution_count = rep.sum([](const Rep::Part& p) -> const Cell& { return p.executions; });
  view.success = rep.phase(kRequest);
  view.queue = rep.phase(kQueue);
  view.compute_input = rep.phase(kInput);
  view.compute_infer = rep.phase(kInfer);
  view.compute_output = rep.phase(kOutput);
  view.fail.count = rep.failures(FailureReason::kRejected, FailureReason::kOther);
  view.fail.ns = rep.sum([](const Rep::Part& p) -> const Cell& { return p.fail_ns; });
  const auto merge = [](Phase& into, const Phase& from) {
    into.count += from.count;
    into.ns += from.ns;
  };
  for (const Rep::Part& part : rep.parts) {
    view.last_inference_ms = std::max(view.last_inference_ms, get(part.last_ms));
    MutexLock lock(part.mutex);
    for (const auto& [rows, batch] : part.batches) {
      Batch& into = view.batches[rows];
      merge(into.input, batch.input);
      merge(into.infer, batch.infer);
      merge(into.output, batch.output);
    }
  }
  return view;
}

}  // namespace modelmill
