#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "request/infer_response.h"
#include "runtime/metrics.h"

namespace modelmill {

/// Why a request failed, as the `reason` label of nv_inference_request_failure.
enum class FailureReason { kRejected, kCanceled, kBackend, kOther };

/// One execution's numbers, as the statistics extension's batch_stats keep them.
struct ExecutionRecord {
  int64_t rows = 0;
  int64_t requests = 0;
  Duration input{};
  Duration infer{};
  Duration output{};
};

/// The counters of one version: for /metrics (Prometheus) and the V2 statistics extension. Survives a reload of the same
/// version. Thread-safe; recording is a few relaxed atomic adds and, per execution, one short lock.
class VersionStats {
 public:
  VersionStats(MetricRegistry& registry, const std::string& model, int64_t version,
               const std::map<std::string, std::string>& extra_labels = {});
  ~VersionStats();

  void request_queued();                      // pending +1
  void request_dequeued();                    // pending -1
  /// A request completed; `rows` inferences. Phases come from `times`.
  void request_succeeded(const RequestTimes& times, int64_t rows);
  void request_failed(const RequestTimes& times, FailureReason reason);
  /// Cut reasons are constant texts: "full", "instance idle", "delay over", "deadline".
  void executed(const ExecutionRecord& record, const char* cut_reason);

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
    Phase success, fail, queue, compute_input, compute_infer, compute_output;
    std::map<int64_t, Batch> batches;  // by rows
  };
  View view() const;

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
