#include "dialect/kserve_v1/runtime_metrics.h"

#include "dialect/python_bounds.h"

namespace modelmill::kserve_v1 {
namespace {

double seconds_between(TimePoint from, TimePoint to) {
  return from == TimePoint{} || to <= from ? 0 : static_cast<double>(to_ns(to - from)) / 1e9;
}

}  // namespace

void RuntimeMetrics::answered(const std::string& model, bool explained, const Status& status,
                              const RequestTimes& times) {
  if (times.queued == TimePoint{}) return;
  const double all = seconds_between(times.queued, times.compute_end);
  const double before = seconds_between(times.compute_start, times.input_end);
  const double after = seconds_between(times.infer_end, times.compute_end);
  Series series;
  {
    const MutexLock lock(mutex_);
    Series& kept = models_[model];
    const auto make = [&](std::shared_ptr<Histogram>& into, const char* name, const char* help) {
      if (!into) into = registry_.histogram(name, help, {{"model_name", model}}, kPythonBounds);
    };
    make(kept.preprocess, "request_preprocess_seconds", "Seconds of preparing a model's inputs.");
    make(kept.predict, "request_predict_seconds", "Seconds of waiting and predicting.");
    make(kept.postprocess, "request_postprocess_seconds", "Seconds of taking a model's outputs.");
    if (explained) make(kept.explain, "request_explain_seconds", "Seconds of waiting and explaining.");
    series = kept;
  }
  series.preprocess->observe(before);
  (explained ? series.explain : series.predict)->observe(all - before - after);
  if (status.ok()) series.postprocess->observe(after);
}

std::string RuntimeMetrics::render(const Catalog& catalog) {
  const auto table = catalog.table();
  {
    const MutexLock lock(mutex_);
    std::erase_if(models_, [&](const auto& model) { return table->find(model.first) == nullptr; });
  }
  return registry_.render();
}

}  // namespace modelmill::kserve_v1
