#include "catalog/version_series.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace modelmill {
namespace {

using Cell = VersionCounters::Cell;
using Part = VersionCounters::Part;

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

double number(uint64_t n) { return static_cast<double>(n); }

constexpr std::array<const char*, VersionCounters::kPhases> kPhaseNames{"request", "queue", "compute_input",
                                                                        "compute_infer", "compute_output"};
constexpr std::array<const char*, VersionCounters::kPhases> kPhaseHelp{
    "whole request", "waiting in the queue", "preparing inputs", "running the model", "taking outputs"};

/// Registers the series of one version.
class Registration {
 public:
  Registration(std::shared_ptr<const VersionCounters> counters, MetricRegistry& registry, const MetricLabels& labels)
      : counters_(std::move(counters)), registry_(registry), labels_(labels) {}

  void add_requests() {
    sum("nv_inference_request_success", "Inference requests that succeeded",
        [](const Part& p) -> const Cell& { return p.phases[VersionCounters::kRequest].count; });
    for (const TritonFailure& failure : kTritonFailures)
      count("nv_inference_request_failure", "Inference requests that failed, by reason", with("reason", failure.name),
            [failure](const VersionCounters& c) { return c.failures(failure.first, failure.last); });
    for (const auto& [name, reason] :
         {std::pair("client gone", FailureReason::kClientGone), std::pair("deadline", FailureReason::kDeadline)})
      count("modelmill_request_cancelled_total",
            "Requests that ended because nobody wanted their answer any more, by why", with("reason", name),
            [reason = reason](const VersionCounters& c) { return c.failures(reason, reason); });
    sum("nv_inference_count", "Inferences done: a request with a batch of n counts n",
        [](const Part& p) -> const Cell& { return p.rows; });
    sum("nv_inference_exec_count", "Executions of the model: a batch of requests counts one",
        [](const Part& p) -> const Cell& { return p.executions; });
  }

  void add_times(const SeriesSettings& settings, TimeSource& time) {
    const auto each = [](const char* end, auto add) {
      for (int i = 0; i < VersionCounters::kPhases; ++i)
        add(std::string("nv_inference_") + kPhaseNames[static_cast<size_t>(i)] + end,
            kPhaseHelp[static_cast<size_t>(i)], i);
    };
    if (settings.counters)
      each("_duration_us", [this](const std::string& name, const char* help, int i) {
        count(name, std::string("Microseconds spent: ") + help, labels_,
              [i](const VersionCounters& c) { return c.phase(i).ns / 1'000; });
      });
    if (settings.histograms)
      each("_duration_histogram_us", [this](const std::string& name, const char* help, int i) {
        out_.push_back(registry_.histogram_from(name, std::string("Microseconds a request: ") + help, labels_,
                                                latency_bounds_us(),
                                                [counters = counters_, i] { return counters->phase_histogram(i); }));
      });
    if (settings.summaries)
      each("_summary_us", [&, this](const std::string& name, const char* help, int i) {
        out_.push_back(registry_.summary_from(
            name, std::string("Microseconds a request, with quantiles of the last minute: ") + help, labels_,
            [counters = counters_, i, quantiles = settings.quantiles, &time] {
              return counters->phase_summary(i, quantiles, time.now());
            }));
      });
  }

  void add_batches() {
    gauge("nv_inference_pending_request_count", "Requests that wait to be executed",
          [](const VersionCounters& c) { return number(c.pending()); });
    out_.push_back(registry_.histogram_from("modelmill_batch_size", "Rows of an execution", labels_,
                                            batch_size_bounds(),
                                            [counters = counters_] { return counters->size_histogram(); }));
    sum("modelmill_padded_rows_total", "Rows that filled executions up to an allowed size",
        [](const Part& p) -> const Cell& { return p.padded; });
    for (size_t reason = 0; reason < static_cast<size_t>(kCutReasons); ++reason)
      count("modelmill_batch_cut_total", "Batches, by why they were cut when they were",
            with("reason", cut_reason_name(static_cast<CutReason>(reason))), [reason](const VersionCounters& c) {
              return c.sum([reason](const Part& p) -> const Cell& { return p.cuts[reason]; });
            });
  }

  void add_instances() {
    gauge("modelmill_instances", "Instances that a version has",
          [](const VersionCounters& c) { return static_cast<double>(std::max(0, c.instances.load())); });
    gauge("nv_model_load_duration_secs", "Seconds that loading a version took",
          [](const VersionCounters& c) { return static_cast<double>(c.load_ns.load()) / 1e9; });
    for (const ScalingChange& change : kScalingChanges) {
      MetricLabels more = with("direction", change.up ? "up" : "down");
      more.emplace_back("reason", scaling_reason_name(change.reason));
      count("modelmill_instance_changes_total", "Instances made and taken away while serving, by why", std::move(more),
            [index = static_cast<size_t>(change.reason), up = change.up](const VersionCounters& c) {
              return VersionCounters::get((up ? c.added : c.removed)[index]);
            });
    }
  }

  std::vector<MetricRegistry::Handle> take() { return std::move(out_); }

 private:
  MetricLabels with(const char* name, const char* value) const {
    MetricLabels more = labels_;
    more.emplace_back(name, value);
    return more;
  }
  template <typename Read>
  void count(const std::string& name, const std::string& help, MetricLabels labels, Read read) {
    out_.push_back(registry_.counter_from(name, help, std::move(labels),
                                          [counters = counters_, read] { return number(read(*counters)); }));
  }
  template <typename Read>
  void sum(const char* name, const char* help, Read read) {
    count(name, help, labels_, [read](const VersionCounters& c) { return c.sum(read); });
  }
  template <typename Read>
  void gauge(const char* name, const char* help, Read read) {
    out_.push_back(registry_.gauge_from(name, help, labels_, [counters = counters_, read] { return read(*counters); }));
  }

  const std::shared_ptr<const VersionCounters> counters_;
  MetricRegistry& registry_;
  const MetricLabels& labels_;
  std::vector<MetricRegistry::Handle> out_;
};

}  // namespace

std::vector<MetricRegistry::Handle> add_version_series(std::shared_ptr<const VersionCounters> counters,
                                                       MetricRegistry& registry, const MetricLabels& labels,
                                                       const SeriesSettings& settings, TimeSource& time) {
  Registration registration(std::move(counters), registry, labels);
  registration.add_requests();
  registration.add_times(settings, time);
  registration.add_batches();
  registration.add_instances();
  return registration.take();
}

}  // namespace modelmill
