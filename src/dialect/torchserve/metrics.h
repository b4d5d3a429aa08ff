#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/catalog.h"
#include "request/infer_response.h"
#include "runtime/gpu_watch.h"
#include "runtime/metrics.h"

namespace modelmill::torchserve {

/// What came by TorchServe's protocol, and how the machine is, under the names of its metrics: a page of its own,
/// because its dashboards sum over names and labels as there. Series of a model last as long as it is known.
/// Thread-safe.
class TorchMetrics {
 public:
  /// `read_gpus`: what the machine's GPUs do.
  explicit TorchMetrics(std::function<std::vector<GpuReading>()> read_gpus = read_machine_gpus);

  /// A reply over HTTP.
  void replied(int status);
  /// The series of what is asked of a model. The numbers of who holds on to it count as long as the model is known.
  struct Series {
    std::shared_ptr<Counter> requests, latency, queue_latency;
    std::shared_ptr<Gauge> prediction_time;
  };
  using SeriesRef = std::shared_ptr<const Series>;

  /// `version` as the client named it; empty: it named none.
  SeriesRef series(const std::string& model, std::string_view version);
  /// An inference has been asked for.
  SeriesRef asked(const std::string& model, std::string_view version);
  /// It succeeded, `time` after it came.
  void answered(const Series& series, const RequestTimes& times, Duration time);

  /// In Prometheus' text format.
  std::string render(const Catalog& catalog);

 private:
  void look_at_machine();
  void look_at_gpus(const std::vector<GpuReading>& readings) MM_REQUIRES(mutex_);
  void look_at_workers(const ModelTable& table) MM_REQUIRES(mutex_);

  const std::function<std::vector<GpuReading>()> read_gpus_;
  const std::string host_;
  MetricRegistry registry_;
  std::array<std::shared_ptr<Counter>, 3> replies_;  // 2XX, 4XX, 5XX
  std::shared_ptr<Gauge> queue_time_;
  std::shared_ptr<Gauge> worker_thread_time_;
  std::array<std::shared_ptr<Gauge>, 7> machine_;
  Mutex mutex_;
  std::pair<uint64_t, uint64_t> processor_ MM_GUARDED_BY(mutex_);  // busy and all, when it was looked at last
  std::map<std::string, std::map<std::string, SeriesRef, std::less<>>> models_ MM_GUARDED_BY(mutex_);  // by version
  std::vector<std::shared_ptr<Gauge>> worker_load_times_ MM_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Gauge>> gpus_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::torchserve
