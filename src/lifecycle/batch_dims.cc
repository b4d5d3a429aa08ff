#include "lifecycle/batch_dims.h"

#include <algorithm>

namespace modelmill {

bool is_open_first(const Signature& signature) {
  const auto open = [](const TensorSpec& spec) { return !spec.shape.empty() && spec.shape[0] == -1; };
  return std::all_of(signature.inputs.begin(), signature.inputs.end(), open) &&
         std::all_of(signature.outputs.begin(), signature.outputs.end(), open);
}

bool has_reshape(const ModelDefinition& definition) {
  const auto reshapes = [](const ConfiguredTensor& tensor) { return tensor.reshape.has_value(); };
  return std::any_of(definition.inputs.begin(), definition.inputs.end(), reshapes) ||
         std::any_of(definition.outputs.begin(), definition.outputs.end(), reshapes);
}

void leave_batch_out_of_dims(ModelDefinition& definition) {
  for (auto* tensors : {&definition.inputs, &definition.outputs})
    for (ConfiguredTensor& tensor : *tensors)
      if (!tensor.dims.empty()) tensor.dims.erase(tensor.dims.begin());
}

}  // namespace modelmill
