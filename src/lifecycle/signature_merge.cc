#include "lifecycle/signature_merge.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "model/spelling.h"

namespace modelmill {
namespace {

struct Side {
  const char* kind;  // "input" or "output"
  std::vector<ConfiguredTensor>& configured;
  const std::vector<TensorSpec>& model;
};

const TensorSpec* find(const std::vector<TensorSpec>& specs, const std::string& name) {
  for (const TensorSpec& spec : specs)
    if (spec.name == name) return &spec;
  return nullptr;
}

std::string label(const ModelDefinition& definition, const char* kind, const std::string& name) {
  return "model '" + definition.name + "': " + kind + " '" + name + "' ";
}

Shape with_batch(const Shape& dims, bool batched) {
  Shape out = dims;
  if (batched) out.insert(out.begin(), -1);
  return out;
}

/// The shape that the runtime gets for a configured tensor.
const Shape& inner_dims(const ConfiguredTensor& tensor) { return tensor.reshape ? *tensor.reshape : tensor.dims; }

/// Every size that the configuration allows is one that the model takes.
bool fits(const Shape& configured, const Shape& model) {
  return configured.size() == model.size() && std::equal(configured.begin(), configured.end(), model.begin(),
                                                         [](int64_t c, int64_t m) { return m == -1 || m == c; });
}

/// Whether the configured dims leave the batch dimension out although max_batch_size is not given.
bool dims_leave_batch_out(const Side& side, bool& any) {
  for (const ConfiguredTensor& tensor : side.configured) {
    const TensorSpec* spec = find(side.model, tensor.name);
    if (spec == nullptr) continue;
    any = true;
    if (spec->shape.empty() || spec->shape[0] != -1 || inner_dims(tensor).size() + 1 != spec->shape.size())
      return false;
  }
  return true;
}

Status check_batch_dimension(const ModelDefinition& definition, const char* kind, const TensorSpec& spec) {
  if (!spec.shape.empty() && spec.shape[0] == -1) return ok_status();
  return invalid_argument(
      label(definition, kind, spec.name) + "has shape " + shape_text(dims(spec.shape)) +
      " in the model file, but for the model to support batching the shape should have at least 1 "
      "dimension and the first dimension must be -1; set max_batch_size: 0 and give whole shapes in dims");
}

Status shape_mismatch(const ModelDefinition& definition, const char* kind, const ConfiguredTensor& tensor,
                      const TensorSpec& spec, bool batched) {
  const Shape expected = with_batch(inner_dims(tensor), batched);
  std::string remedy = batched ? "; with max_batch_size above 0 the dims leave out the batch dimension" : "";
  if (!batched && expected.size() + 1 == spec.shape.size() && !spec.shape.empty() && spec.shape[0] == -1)
    remedy = "; without max_batch_size the dims are whole shapes, batch dimension included";
  return invalid_argument(label(definition, kind, tensor.name) + "has shape " + shape_text(dims(spec.shape)) +
                          " in the model file, but the configuration expects " + shape_text(dims(expected)) + remedy);
}

Status unknown_tensor(const ModelDefinition& definition, const Side& side, const std::string& name) {
  std::string allowed;
  std::vector<std::string> names;
  for (const TensorSpec& spec : side.model) {
    names.push_back(spec.name);
    allowed += (allowed.empty() ? "" : ", ") + spec.name;
  }
  const std::string meant = nearest(name, names);
  return invalid_argument("model '" + definition.name + "': unexpected inference " + side.kind + " '" + name +
                          "', allowed " + side.kind + "s are: " + allowed +
                          (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

/// One configured tensor against the model's; the result is what clients see.
Result<TensorSpec> merge_tensor(const ModelDefinition& definition, const Side& side, ConfiguredTensor& tensor,
                                bool batched) {
  const TensorSpec* spec = find(side.model, tensor.name);
  if (spec == nullptr) return unknown_tensor(definition, side, tensor.name);
  if (spec->dtype != tensor.dtype)
    return invalid_argument(
        label(definition, side.kind, tensor.name) + "has the type " + std::string(dtype_config_name(spec->dtype)) +
        " in the model file, but the configuration says " + std::string(dtype_config_name(tensor.dtype)));
  if (batched) MM_RETURN_IF_ERROR(check_batch_dimension(definition, side.kind, *spec));
  if (tensor.optional && !spec->optional)
    return invalid_argument(label(definition, side.kind, tensor.name) +
                            "is optional in the configuration, but the model needs it");
  const bool model_scalar = spec->shape.size() == (batched ? 1U : 0U);
  if (!tensor.reshape && model_scalar && tensor.dims.size() == 1 && tensor.dims[0] == 1) tensor.reshape = Shape{};
  if (!fits(with_batch(inner_dims(tensor), batched), spec->shape))
    return shape_mismatch(definition, side.kind, tensor, *spec, batched);
  TensorSpec out = *spec;
  out.shape = with_batch(tensor.dims, batched);
  out.optional = spec->optional;
  if (tensor.reshape) {
    const std::string batch_symbol = batched && !spec->symbols.empty() ? spec->symbols[0] : "";
    out.symbols.assign(out.shape.size(), "");
    if (batched) out.symbols[0] = batch_symbol;
  }
  return out;
}

/// Triton's rule: a configuration that lists inputs lists all that the model needs.
Status check_inputs_complete(const ModelDefinition& definition, const std::vector<TensorSpec>& model) {
  for (const TensorSpec& spec : model) {
    const bool configured = std::any_of(definition.inputs.begin(), definition.inputs.end(),
                                        [&](const auto& t) { return t.name == spec.name; });
    if (configured || spec.optional) continue;
    return invalid_argument("unable to load model '" + definition.name + "', configuration expects " +
                            std::to_string(definition.inputs.size()) + " inputs, model provides " +
                            std::to_string(model.size()) + "; add input '" + spec.name + "'");
  }
  return ok_status();
}

Result<std::vector<TensorSpec>> merge_side(const ModelDefinition& definition, Side side, bool batched) {
  std::vector<TensorSpec> out;
  if (side.configured.empty()) {
    if (batched)
      for (const TensorSpec& spec : side.model) MM_RETURN_IF_ERROR(check_batch_dimension(definition, side.kind, spec));
    return side.model;
  }
  for (ConfiguredTensor& tensor : side.configured) {
    MM_ASSIGN_OR_RETURN(TensorSpec spec, merge_tensor(definition, side, tensor, batched));
    out.push_back(std::move(spec));
  }
  return out;
}

/// For a backend that can't tell what its model takes: the configuration is all there is.
std::vector<TensorSpec> as_configured(const std::vector<ConfiguredTensor>& tensors, bool batched) {
  std::vector<TensorSpec> out;
  for (const ConfiguredTensor& tensor : tensors)
    out.push_back({tensor.name, tensor.dtype, with_batch(tensor.dims, batched), {}, tensor.optional});
  return out;
}

}  // namespace

Result<MergedSignature> merge_signature(ModelDefinition& definition, const BackendModelInfo& info) {
  MergedSignature out;
  out.batch_declared = definition.max_batch_size.value_or(0) > 0;
  if (info.signature.open) {
    // Nothing is held to them, so either may say what it likes.
    out.signature = info.signature;
    if (!definition.inputs.empty()) out.signature.inputs = as_configured(definition.inputs, out.batch_declared);
    if (!definition.outputs.empty()) out.signature.outputs = as_configured(definition.outputs, out.batch_declared);
    return out;
  }
  const Side inputs{"input", definition.inputs, info.signature.inputs};
  const Side outputs{"output", definition.outputs, info.signature.outputs};
  if (info.signature.inputs.empty() && info.signature.outputs.empty()) {
    if (definition.inputs.empty() || definition.outputs.empty())
      return invalid_argument(
          "model '" + definition.name + "': backend '" + definition.backend +
          "' can't tell the model's inputs and outputs; list them in config.pbtxt as input and output");
    out.signature = {as_configured(definition.inputs, out.batch_declared),
                     as_configured(definition.outputs, out.batch_declared)};
    return out;
  }
  if (!definition.max_batch_size) {
    bool any = false;
    out.batch_declared = dims_leave_batch_out(inputs, any) && dims_leave_batch_out(outputs, any) && any;
  }
  // In this order: a misspelt name is told as such, not as an input that is missing.
  MM_ASSIGN_OR_RETURN(out.signature.inputs, merge_side(definition, inputs, out.batch_declared));
  if (!definition.inputs.empty()) MM_RETURN_IF_ERROR(check_inputs_complete(definition, info.signature.inputs));
  MM_ASSIGN_OR_RETURN(out.signature.outputs, merge_side(definition, outputs, out.batch_declared));
  return out;
}

}  // namespace modelmill
