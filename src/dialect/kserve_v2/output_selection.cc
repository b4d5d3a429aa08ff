#include "dialect/kserve_v2/output_selection.h"

#include <algorithm>
#include <utility>

#include "serve/classification.h"
#include "serve/input_check.h"

namespace modelmill::kserve_v2 {
namespace {

const RequestedOutput* find(const RequestedOutputs& requested, std::string_view name) {
  for (const RequestedOutput& output : requested) {
    if (output.name == name) return &output;
  }
  return nullptr;
}

/// The description of the version that served; null when it has just been unloaded.
std::shared_ptr<ModelVersion> find_version(const Catalog& catalog, std::string_view model, int64_t version) {
  const auto table = catalog.table();
  const ModelEntry* entry = table->find(model);
  const auto* found = entry == nullptr ? nullptr : entry->find(version);
  return found == nullptr ? nullptr : *found;
}

Status classify_output(const ModelVersion* served, uint32_t classes, Tensor& tensor) {
  static const std::vector<std::string> kNone;
  const std::vector<std::string>* labels = &kNone;
  bool batched = false;
  if (served != nullptr) {
    batched = has_batch_dimension(served->definition());
    const auto found = served->description().labels.find(tensor.name);
    if (found != served->description().labels.end()) labels = &found->second;
  }
  MM_ASSIGN_OR_RETURN(tensor, classify(tensor, classes, batched, *labels));
  return ok_status();
}

}  // namespace

Status select_outputs(const Catalog& catalog, std::string_view model, const RequestedOutputs& requested,
                      InferResponse& response) {
  if (requested.empty()) return ok_status();
  auto& outputs = response.outputs;
  outputs.erase(std::remove_if(outputs.begin(), outputs.end(),
                               [&](const Tensor& tensor) { return find(requested, tensor.name) == nullptr; }),
                outputs.end());
  const bool any_classes =
      std::any_of(requested.begin(), requested.end(), [](const RequestedOutput& r) { return r.classes != 0; });
  if (!any_classes) return ok_status();
  const auto served = find_version(catalog, model, response.version);
  for (Tensor& tensor : outputs) {
    const RequestedOutput* wish = find(requested, tensor.name);
    if (wish->classes != 0) MM_RETURN_IF_ERROR(classify_output(served.get(), wish->classes, tensor));
  }
  return ok_status();
}

}  // namespace modelmill::kserve_v2
