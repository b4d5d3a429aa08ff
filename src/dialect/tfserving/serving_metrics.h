#pragma once

#include <array>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"
#include "catalog/catalog.h"
#include "dialect/tfserving/server_series.h"
#include "request/infer_response.h"
#include "runtime/metrics.h"

namespace modelmill::tfserving {

/// What came by TensorFlow Serving's protocol, under the names of its metrics: a page of its own, because its
/// dashboards sum over names and labels as there. Series last as long as their model is known. Thread-safe.
class ServingMetrics {
 public:
  ServingMetrics();
  /// Tells of the server as a whole, too. Before anything else is called.
  void tell_of(ServerCounts counts) MM_EXCLUDES(mutex_);

  /// One request for a model that is served, and how it ended. `api` and `entrypoint` are labels' values: "Predict" by
  /// "GRPC", "predict" by "REST". Times are those of requests that succeed, as there.
  void answered(const std::string& model, std::string_view api, std::string_view entrypoint, const Status& status,
                Duration time);

  /// How long what a request asked has run, by the API that it came by ("Predict", whoever sent it how) and what runs
  /// the model.
  void ran(const std::string& model, std::string_view api, const std::string& runtime, const RequestTimes& times);
  /// How many examples a request had.
  void had_examples(const std::string& model, size_t count);

  /// In Prometheus' text format.
  std::string render(const Catalog& catalog);

 private:
  static constexpr size_t kCodes = static_cast<size_t>(Code::kUnauthenticated) + 1;

  struct Times {
    std::string api, entrypoint;
    std::shared_ptr<Histogram> histogram;
  };
  struct Model {
    std::array<std::shared_ptr<Counter>, kCodes> counts;                  // by status; null: there was none
    std::vector<Times> times;                                             // few
    std::map<std::string, std::shared_ptr<Histogram>, std::less<>> runs;  // by api and runtime
    std::shared_ptr<Histogram> example_counts;
    std::shared_ptr<Counter> examples;
  };
  Counter& count_of(const std::string& model, Model& series, Code code) MM_REQUIRES(mutex_);
  std::shared_ptr<Histogram> times_of(const std::string& model, Model& series, std::string_view api,
                                      std::string_view entrypoint) MM_REQUIRES(mutex_);

  /// What a version had run when it was looked at last.
  struct Runs {
    uint64_t count = 0;
    uint64_t ns = 0;
  };
  void look_at_runs(const ModelTable& table) MM_REQUIRES(mutex_);

  MetricRegistry registry_;
  const std::shared_ptr<Counter> graph_runs_, graph_run_time_;
  Mutex mutex_;
  std::map<std::pair<std::string, int64_t>, Runs> runs_ MM_GUARDED_BY(mutex_);
  std::map<std::string, Model, std::less<>> models_ MM_GUARDED_BY(mutex_);
  std::unique_ptr<ServerSeries> server_ MM_GUARDED_BY(mutex_);  // null: of the models alone
};

}  // namespace modelmill::tfserving
