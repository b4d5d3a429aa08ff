// What a backend says of the processes that it runs a model in.

#include <memory>

#include "backend/handles.h"
#include "backend/host_table.h"

namespace modelmill::host {
namespace {

MetricLabels labels_of(const mm_host_model& model) {
  return {{"model", model.model}, {"version", std::to_string(model.version)}};
}

}  // namespace

void model_failed(mm_host_model* model, const char* reason) {
  const MutexLock lock(model->mutex);
  ++model->failures;
  model->last_failure = reason != nullptr ? reason : "";
  if (model->registry == nullptr) return;
  if (!model->failures_counter)
    model->failures_counter = model->registry->counter(
        "modelmill_process_failures_total",
        "Processes of a model that crashed, or were ended because they broke a limit", labels_of(*model));
  model->failures_counter->add();
}

void model_memory(mm_host_model* model, uint64_t bytes) {
  const MutexLock lock(model->mutex);
  model->process_bytes = bytes;
  if (model->registry == nullptr) return;
  if (!model->process_bytes_gauge)
    model->process_bytes_gauge =
        model->registry->gauge("modelmill_process_memory_bytes",
                               "Memory of its own that the largest process of a model has", labels_of(*model));
  model->process_bytes_gauge->set(static_cast<double>(bytes));
}

}  // namespace modelmill::host
