#pragma once

#include <map>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "catalog/catalog.h"
#include "dialect/infer_observer.h"
#include "runtime/metrics.h"

namespace modelmill::kserve_v1 {

/// The times of inferences under the names that KServe's runtimes have for them, a page of its own. Preprocessing is
/// the preparing of a model's inputs, postprocessing the taking of its outputs, and what is between them and before
/// them, the waiting too, is the prediction or explanation. Series of a model last as long as it is known. Thread-safe.
class RuntimeMetrics final : public InferObserver {
 public:
  /// What was refused, or answered by a route itself, before a model could have it is not counted.
  void answered(const std::string& model, bool explained, const Status& status, const RequestTimes& times) override;

  /// In Prometheus' text format.
  std::string render(const Catalog& catalog);

 private:
  struct Series {
    std::shared_ptr<Histogram> preprocess, predict, postprocess;
    std::shared_ptr<Histogram> explain;  // null: nobody asked for one
  };

  MetricRegistry registry_;
  Mutex mutex_;
  std::map<std::string, Series, std::less<>> models_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill::kserve_v1
