#include "catalog/version_stats.h"

#include <algorithm>
#include <atomic>
#include <ctime>

#include "base/mutex.h"
#include "catalog/version_counters.h"
#include "catalog/version_series.h"

namespace modelmill {
namespace {

using Cell = VersionCounters::Cell;
using Part = VersionCounters::Part;

void add(Cell& cell, uint64_t n) { VersionCounters::add(cell, n); }

uint64_t ns_between(TimePoint from, TimePoint to) {
  return from == TimePoint{} || to <= from ? 0 : static_cast<uint64_t>(to_ns(to - from));
}

/// The time of day to a few milliseconds, for a fraction of what exact time costs.
uint64_t unix_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

MetricLabels labels_of(const std::string& model, int64_t version, const std::map<std::string, std::string>& extra,
                       const std::string& prefix) {
  MetricLabels labels{{"model", model}, {"version", std::to_string(version)}};
  for (const auto& [name, value] : extra) labels.emplace_back(prefix + name, value);
  return labels;
}

}  // namespace

VersionStats::VersionStats(MetricRegistry& registry, const std::string& model, int64_t version,
                           const std::map<std::string, std::string>& extra_labels, const SeriesSettings& settings,
                           TimeSource& time)
    : counters_(std::make_shared<VersionCounters>()),
      registry_(registry),
      time_(time),
      labels_(labels_of(model, version, extra_labels, settings.tag_prefix)),
      settings_(settings) {
  if (settings.summaries) counters_->recent = std::make_unique<std::array<RecentLatencies, VersionCounters::kPhases>>();
  series_ = add_version_series(counters_, registry, labels_, settings, time);
}

VersionStats::~VersionStats() = default;

void VersionStats::instances_are(int count, ScalingReason reason) {
  const int before = counters_->instances.exchange(count);
  if (before < 0) return;  // those that it was loaded with
  const auto index = static_cast<size_t>(reason);
  if (count > before) add(counters_->added[index], static_cast<uint64_t>(count - before));
  if (count < before) add(counters_->removed[index], static_cast<uint64_t>(before - count));
}

void VersionStats::planned(const InstanceOption* option) {
  const MutexLock lock(plan_mutex_);
  if (!option) return plan_series_.clear();
  counters_->planned_rows = option->rows;
  counters_->planned_delay_ns = to_ns(option->delay);
  counters_->planned_rate = option->rate;
  if (!plan_series_.empty()) return;
  const auto gauge = [this](const char* name, const char* help, auto read) {
    return registry_.gauge_from(name, help, labels_, [counters = counters_, read] { return read(*counters); });
  };
  plan_series_.push_back(
      gauge("modelmill_objective_batch_rows", "Rows of a batch, at most, as planned for the latency objective",
            [](const VersionCounters& counters) { return static_cast<double>(counters.planned_rows.load()); }));
  plan_series_.push_back(gauge(
      "modelmill_objective_delay_us", "Microseconds that a batch may wait for more rows, at most, likewise",
      [](const VersionCounters& counters) { return static_cast<double>(counters.planned_delay_ns.load()) / 1e3; }));
  plan_series_.push_back(gauge("modelmill_objective_rows_per_second",
                               "Rows a second that the instances are expected to sustain within it",
                               [](const VersionCounters& counters) { return counters.planned_rate.load(); }));
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

void VersionStats::tell_first_responses(const std::vector<double>& bounds_ms) {
  const MutexLock lock(plan_mutex_);
  if (first_series_ || !settings_.histograms) return;
  counters_->firsts_owner =
      std::make_unique<FirstResponses>(bounds_ms.empty() ? FirstResponses::usual_bounds_ms() : bounds_ms);
  FirstResponses& firsts = *counters_->firsts_owner;
  first_series_ = registry_.histogram_from(
      "nv_inference_first_response_histogram_ms", "Milliseconds from a request to its first response", labels_,
      firsts.bounds_ms(), [counters = counters_, &firsts] { return firsts.value(); });
  counters_->firsts.store(&firsts, std::memory_order_release);
}

void VersionStats::loaded_in(Duration time) { counters_->load_ns = to_ns(time); }
Duration VersionStats::load_time() const { return std::chrono::nanoseconds(counters_->load_ns.load()); }

void VersionStats::request_queued() { add(counters_->here().queued, 1); }
void VersionStats::requests_dequeued(uint64_t n) { counters_->here().dequeued.fetch_add(n, std::memory_order_release); }

void VersionStats::request_succeeded(const RequestTimes& times, int64_t rows) {
  const uint64_t queued = ns_between(times.queued, times.compute_start);
  add(counters_->here().rows, static_cast<uint64_t>(rows));
  if (settings_.batches) settings_.batches->request(std::chrono::nanoseconds(queued), rows);
  count_success(times, queued);
}

void VersionStats::count_success(const RequestTimes& times, uint64_t queued_ns) {
  Part& part = counters_->here();
  const TimePoint begin = times.received == TimePoint{} ? times.queued : times.received;
  const uint64_t whole = ns_between(begin, times.compute_end);
  part.phases[VersionCounters::kRequest].record(whole, 1);
  part.phases[VersionCounters::kQueue].record(queued_ns, 1);
  counters_->recall(VersionCounters::kRequest, whole, 1, times.compute_end);
  counters_->recall(VersionCounters::kQueue, queued_ns, 1, times.compute_end);
  FirstResponses* const firsts = counters_->firsts.load(std::memory_order_acquire);
  if (firsts == nullptr) return;
  firsts->record(ns_between(begin, times.first_response == TimePoint{} ? times.compute_end : times.first_response));
}

void VersionStats::answered_from_cache(const RequestTimes& times, Duration lookup) {
  count_success(times, ns_between(times.queued, times.compute_start));
  // It is used: others are put away before it.
  counters_->here().last_ms.store(unix_milliseconds(), std::memory_order_relaxed);
  if (CacheCounts* const cache = cache_.load(std::memory_order_acquire))
    cache->record(CacheCounts::kHit, static_cast<uint64_t>(to_ns(lookup)), times.compute_end);
}

void VersionStats::missed_in_cache(Duration time) {
  if (CacheCounts* const cache = cache_.load(std::memory_order_acquire))
    cache->record(CacheCounts::kMiss, static_cast<uint64_t>(to_ns(time)), time_.now());
}

void VersionStats::tell_cache() {
  const MutexLock lock(plan_mutex_);
  if (cache_owner_) return;
  cache_owner_ = std::make_shared<CacheCounts>(settings_.summaries);
  cache_series_ = add_cache_series(cache_owner_, registry_, labels_, settings_, time_);
  cache_.store(cache_owner_.get(), std::memory_order_release);
}

void VersionStats::request_failed(const RequestTimes& times, FailureReason reason) {
  Part& part = counters_->here();
  const TimePoint begin = times.received == TimePoint{} ? times.queued : times.received;
  add(part.failures[static_cast<size_t>(reason)], 1);
  add(part.fail_ns, ns_between(begin, times.compute_end));
}

void VersionStats::executed(const ExecutionRecord& record, CutReason reason) {
  compute_times_.record(record.rows, record.infer);
  Part& part = counters_->here();
  const auto ns = [](Duration d) { return static_cast<uint64_t>(std::max<int64_t>(0, to_ns(d))); };
  const auto good = static_cast<uint64_t>(record.requests - record.failed);
  const TimePoint now = counters_->recent ? time_.now() : TimePoint{};
  for (const auto& [phase, time] :
       {std::pair(VersionCounters::kInput, record.input), std::pair(VersionCounters::kInfer, record.infer),
        std::pair(VersionCounters::kOutput, record.output)}) {
    part.phases[phase].record(ns(time), good);
    counters_->recall(phase, ns(time), good, now);
  }
  add(part.executions, 1);
  const auto bounds = batch_size_bounds();
  const auto size = std::lower_bound(bounds.begin(), bounds.end(), static_cast<double>(record.rows));
  add(part.sizes[static_cast<size_t>(size - bounds.begin())], 1);
  add(part.size_sum, static_cast<uint64_t>(record.rows));
  if (record.padded > 0) add(part.padded, static_cast<uint64_t>(record.padded));
  add(part.cuts[static_cast<size_t>(reason)], 1);
  part.last_ms.store(unix_milliseconds(), std::memory_order_relaxed);
  if (settings_.batches) settings_.batches->execution(record.rows, record.padded, record.infer);

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
  const VersionCounters& all = *counters_;
  view.pending = all.pending();
  view.inference_count = all.sum([](const Part& p) -> const Cell& { return p.rows; });
  view.execution_count = all.sum([](const Part& p) -> const Cell& { return p.executions; });
  view.success = all.phase(VersionCounters::kRequest);
  view.queue = all.phase(VersionCounters::kQueue);
  view.compute_input = all.phase(VersionCounters::kInput);
  view.compute_infer = all.phase(VersionCounters::kInfer);
  view.compute_output = all.phase(VersionCounters::kOutput);
  view.fail.count = all.failures(FailureReason::kRejected, FailureReason::kOther);
  view.fail.ns = all.sum([](const Part& p) -> const Cell& { return p.fail_ns; });
  if (const CacheCounts* const cache = cache_.load(std::memory_order_acquire)) {
    view.cache_hit = {cache->count(CacheCounts::kHit), cache->ns(CacheCounts::kHit)};
    view.cache_miss = {cache->count(CacheCounts::kMiss), cache->ns(CacheCounts::kMiss)};
  }
  const auto merge = [](Phase& into, const Phase& from) {
    into.count += from.count;
    into.ns += from.ns;
  };
  for (const Part& part : all.parts) {
    view.last_inference_ms = std::max(view.last_inference_ms, VersionCounters::get(part.last_ms));
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
