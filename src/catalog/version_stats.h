#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/cache_counts.h"
#include "catalog/compute_times.h"
#include "catalog/instance_plan.h"
#include "catalog/series_settings.h"
#include "catalog/signature_stats.h"
#include "request/batch_cut.h"
#include "request/infer_response.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Why a request failed. Triton's metric has one word, CANCELED, for a client that went away and a deadline that
/// passed.
enum class FailureReason { kRejected, kClientGone, kDeadline, kBackend, kOther };
inline constexpr int kFailureReasons = 5;

/// One execution's numbers, as the statistics extension's batch_stats keep them.
struct ExecutionRecord {
  int64_t rows = 0;
  int64_t padded = 0;    // of them: nobody's, to fill it up
  int64_t requests = 0;  // of them...
  int64_t failed = 0;    // ... so many failed
  Duration input{};
  Duration infer{};
  Duration output{};
};

struct VersionCounters;

/// The counters of one version: for /metrics (Prometheus, with Triton's names) and the V2 statistics extension.
/// Survives a reload of the same version. Thread-safe. Recording takes some ten relaxed adds to a part of the counters
/// that few other threads use; an execution also one short lock, as little shared. Summaries take an add more for each
/// of the five times.
class VersionStats {
 public:
  /// `time` must outlive it.
  VersionStats(MetricRegistry& registry, const std::string& model, int64_t version,
               const std::map<std::string, std::string>& extra_labels = {}, const SeriesSettings& settings = {},
               TimeSource& time = TimeSource::steady());
  ~VersionStats();

  void request_queued();               // pending +1
  void requests_dequeued(uint64_t n);  // pending -n
  /// A request completed; `rows` inferences. Whole and queue time come from `times`; those of computing are recorded
  /// for all requests of an execution by executed().
  void request_succeeded(const RequestTimes& times, int64_t rows);
  void request_failed(const RequestTimes& times, FailureReason reason);
  void executed(const ExecutionRecord& record, CutReason reason);
  /// A request completed by an answer from before, which took so long to find: no inference, and no execution.
  void answered_from_cache(const RequestTimes& times, Duration lookup);
  /// A request's answer was not there: looking for it, and keeping what came, took so long.
  void missed_in_cache(Duration time);
  /// Has those counted and told; before the first of them. Once is enough.
  void tell_cache();

  /// The version has so many instances from now on; what that changes is counted by why it did.
  void instances_are(int count, ScalingReason reason = ScalingReason::kReload);
  /// Batches and instances go by an objective, and are planned like that from now on; null: not any more.
  void planned(const InstanceOption* option);

  /// The counters of one of several entry points, by its name; they are there from the first call on.
  SignatureStats& signature(const std::string& name);

  /// Has a series of the times until requests' first responses, with these bounds, ascending, or Triton's. Once is
  /// enough: the first one's bounds stay.
  void tell_first_responses(const std::vector<double>& bounds_ms = {});

  /// What loading it took, its instances included.
  void loaded_in(Duration time);
  Duration load_time() const;  // 0: not known yet

  /// Of executed().
  ComputeTimes& compute_times() { return compute_times_; }

  struct Phase {
    uint64_t count = 0;
    uint64_t ns = 0;
  };
  struct Batch {
    Phase input, infer, output;
  };
  /// A copy for the statistics extension.
  struct View {
    uint64_t last_inference_ms = 0;  // Unix time
    uint64_t inference_count = 0;
    uint64_t execution_count = 0;
    uint64_t pending = 0;
    Phase success, fail, queue, compute_input, compute_infer, compute_output, cache_hit, cache_miss;
    std::map<int64_t, Batch> batches;  // by rows
  };
  View view() const;

 private:
  void count_success(const RequestTimes& times, uint64_t queued_ns);

  const std::shared_ptr<VersionCounters> counters_;  // shared with the readers of the series
  MetricRegistry& registry_;
  TimeSource& time_;
  const MetricLabels labels_;
  const SeriesSettings settings_;
  ComputeTimes compute_times_;
  std::vector<MetricRegistry::Handle> series_;
  Mutex plan_mutex_;
  std::vector<MetricRegistry::Handle> plan_series_ MM_GUARDED_BY(plan_mutex_);  // empty: there is no plan
  MetricRegistry::Handle first_series_ MM_GUARDED_BY(plan_mutex_);              // null: nobody asked for it
  std::shared_ptr<CacheCounts> cache_owner_ MM_GUARDED_BY(plan_mutex_);
  std::atomic<CacheCounts*> cache_{nullptr};  // null: there is no cache for it
  std::vector<MetricRegistry::Handle> cache_series_ MM_GUARDED_BY(plan_mutex_);
  Mutex signatures_mutex_;
  std::map<std::string, std::unique_ptr<SignatureStats>> signatures_ MM_GUARDED_BY(signatures_mutex_);
};

}  // namespace modelmill
