#include "serve/input_check.h"

#include <algorithm>
#include <climits>
#include <cstring>
#include <string>
#include <unordered_set>
#include <utility>

namespace modelmill {
namespace {

/// So many names are compared with each other, of more a table is made; and of so many an error is told all.
constexpr size_t kFew = 32;
/// Inputs of a request whose model takes any: what each costs on its way is bounded with it.
constexpr size_t kMostOpenInputs = 1024;

/// Everything a message may need to name. Lives on the stack of check_inputs().
struct Check {
  const ModelVersion& version;
  InferRequest& request;
  bool batched;

  const Signature& signature() const { return version.signature(); }

  Status error(std::string text) const {
    return invalid_argument("[request id: " + (request.id.empty() ? std::string("<id_unknown>") : request.id) + "] " +
                            std::move(text));
  }
  std::string for_model() const { return " for model '" + version.name() + "'"; }
};

std::string quoted(std::string_view name) { return "'" + std::string(name) + "'"; }

std::string signature_names(const std::vector<TensorSpec>& specs) {
  std::string text;
  for (const TensorSpec& spec : specs) text += (text.empty() ? "" : ", ") + quoted(spec.name);
  return text;
}

Status wrong_input_count(const Check& check, size_t required) {
  std::string got, missing;
  std::unordered_set<std::string_view> names;
  for (const Tensor& input : check.request.inputs) {
    if (names.size() < kFew) got += (got.empty() ? "" : ",") + quoted(input.name);
    names.insert(input.name);
  }
  if (names.size() > kFew) got += ",...";
  for (const TensorSpec& spec : check.signature().inputs)
    if (!spec.optional && !names.contains(spec.name)) missing += (missing.empty() ? "" : ",") + quoted(spec.name);
  const size_t most = check.signature().inputs.size();
  const std::string expected = required == most ? "expected " + std::to_string(most) + " inputs"
                                                : "expected number of inputs between " + std::to_string(required) +
                                                      " and " + std::to_string(most);
  return check.error(expected + " but got " + std::to_string(check.request.inputs.size()) + " inputs" +
                     check.for_model() + ". Got input(s) [" + got + "], but missing required input(s) [" + missing +
                     "]. Please provide all required input(s).");
}

Status check_repeated(const Check& check) {
  const auto& inputs = check.request.inputs;
  const auto repeated = [&](const Tensor& input) {
    return check.error("input '" + input.name + "' already exists in request" + check.for_model());
  };
  if (inputs.size() > kFew) {
    std::unordered_set<std::string_view> names;
    for (const Tensor& input : inputs)
      if (!names.insert(input.name).second) return repeated(input);
    return ok_status();
  }
  for (size_t i = 0; i < inputs.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (inputs[i].name == inputs[j].name) return repeated(inputs[i]);
  return ok_status();
}

Status check_names(const Check& check) {
  const auto& specs = check.signature().inputs;
  const auto& inputs = check.request.inputs;
  const size_t required = std::count_if(specs.begin(), specs.end(), [](const TensorSpec& s) { return !s.optional; });
  if (inputs.size() > std::max(specs.size(), kFew)) return wrong_input_count(check, required);
  MM_RETURN_IF_ERROR(check_repeated(check));
  if (inputs.size() > specs.size() || inputs.size() < required) return wrong_input_count(check, required);
  for (const Tensor& input : inputs) {
    if (check.signature().input(input.name) == nullptr) {
      return check.error("unexpected inference input '" + input.name + "'" + check.for_model() + ". Its inputs are " +
                         signature_names(specs));
    }
  }
  for (const TensorSpec& spec : specs) {
    if (!spec.optional && check.request.input(spec.name) == nullptr) return wrong_input_count(check, required);
  }
  for (const RequestedOutput& output : check.request.outputs) {
    if (check.signature().output(output.name) == nullptr) {
      return check.error("unexpected inference output '" + output.name + "'" + check.for_model() +
                         ". Its outputs are " + signature_names(check.signature().outputs));
    }
  }
  return ok_status();
}

/// Puts the inputs in the signature's order. Every input is in the signature, once.
void order_inputs(const Check& check) {
  auto& inputs = check.request.inputs;
  size_t place = 0;
  for (const TensorSpec& spec : check.signature().inputs) {
    size_t from = place;
    while (from < inputs.size() && inputs[from].name != spec.name) ++from;
    if (from == inputs.size()) continue;  // an optional input that was left out
    if (from != place) std::swap(inputs[from], inputs[place]);
    ++place;
  }
}

Status check_sizes(const Check& check, const Tensor& input) {
  if (std::none_of(input.shape.begin(), input.shape.end(), [](int64_t d) { return d < 0; })) return ok_status();
  return check.error("All input dimensions should be specified for input '" + input.name + "'" + check.for_model() +
                     ", got " + shape_text(dims(input.shape)));
}

Status check_shape(const Check& check, const TensorSpec& spec, const Tensor& input) {
  MM_RETURN_IF_ERROR(check_sizes(check, input));
  if (shape_matches(dims(spec.shape), dims(input.shape))) return ok_status();
  std::string note;
  if (check.batched && input.shape.size() + 1 == spec.shape.size()) {
    note = " The first dimension is the batch: send [1," + shape_text(dims(input.shape)).substr(1) + " for one row.";
  } else if (!check.batched && !check.version.definition().unbatched_reason.empty() &&
             input.shape.size() == spec.shape.size()) {
    note = " This model is served without batching: " + check.version.definition().unbatched_reason;
  }
  return check.error("unexpected shape for input '" + input.name + "'" + check.for_model() + ". Expected " +
                     shape_text(dims(spec.shape)) + ", got " + shape_text(dims(input.shape)) + "." + note);
}

Status check_string_bytes(const Check& check, const Tensor& input, int64_t expected) {
  const Bytes bytes = input.contiguous();
  const std::byte* at = bytes.data();
  size_t left = bytes.size();
  int64_t found = 0;
  while (left > 0) {
    if (left < sizeof(uint32_t)) {
      return check.error("incomplete string length indicator for inference input '" + input.name + "'" +
                         check.for_model() + ", expecting 4 bytes but only " + std::to_string(left) +
                         " bytes available");
    }
    uint32_t length = 0;
    std::memcpy(&length, at, sizeof length);
    if (++found > expected) {
      return check.error("unexpected number of string elements " + std::to_string(found) + " for inference input '" +
                         input.name + "'" + check.for_model() + ", expecting " + std::to_string(expected));
    }
    at += sizeof length;
    left -= sizeof length;
    if (length > left) {
      return check.error("incomplete string data for inference input '" + input.name + "'" + check.for_model() +
                         ", expecting string of length " + std::to_string(length) + " but only " +
                         std::to_string(left) + " bytes available");
    }
    at += length;
    left -= length;
  }
  if (found == expected) return ok_status();
  return check.error("expected " + std::to_string(expected) + " string elements for inference input '" + input.name +
                     "'" + check.for_model() + ", got " + std::to_string(found));
}

Status check_bytes(const Check& check, const Tensor& input) {
  const auto count = element_count(dims(input.shape));
  int64_t expected = 0;
  const auto element = static_cast<int64_t>(dtype_size(input.dtype));
  if (!count || __builtin_mul_overflow(*count, element, &expected)) {
    return check.error("shape " + shape_text(dims(input.shape)) + " of input '" + input.name + "'" + check.for_model() +
                       " exceeds maximum size of " + std::to_string(INT64_MAX) + " bytes");
  }
  if (input.dtype == DataType::kBytes) return check_string_bytes(check, input, *count);
  if (input.byte_size() == static_cast<uint64_t>(expected)) return ok_status();
  return check.error("input byte size mismatch for input '" + input.name + "'" + check.for_model() + ". Expected " +
                     std::to_string(expected) + ", got " + std::to_string(input.byte_size()));
}

Status check_batch(const Check& check) {
  const ModelDefinition& definition = check.version.definition();
  int64_t rows = -1;
  for (const Tensor& input : check.request.inputs) {
    if (input.shape.empty()) {
      return check.error("input '" + input.name + "' has no shape but model requires batch dimension for '" +
                         check.version.name() + "'");
    }
    if (rows >= 0 && input.shape[0] != rows) {
      return check.error("input '" + input.name + "' batch size does not match other inputs for '" +
                         check.version.name() + "'");
    }
    rows = input.shape[0];
  }
  check.request.batch_rows = std::max<int64_t>(rows, 1);
  // A bound that the server chose for its own batches is none for clients: a longer request runs by itself.
  const bool bound_is_configured = definition.batching.mode != BatchingDefinition::Mode::kAuto;
  if (bound_is_configured && rows > *definition.max_batch_size) {
    return check.error("inference request batch-size must be <= " + std::to_string(*definition.max_batch_size) +
                       " for '" + check.version.name() + "'");
  }
  return ok_status();
}

/// Of a model that takes any inputs: whether they are what they say.
Status check_open(const Check& check) {
  if (const size_t count = check.request.inputs.size(); count > kMostOpenInputs)
    return check.error("got " + std::to_string(count) + " inputs" + check.for_model() +
                       ", which takes any inputs, but at most " + std::to_string(kMostOpenInputs) +
                       " in a request; send fewer, larger tensors or several requests");
  MM_RETURN_IF_ERROR(check_repeated(check));
  if (check.batched) MM_RETURN_IF_ERROR(check_batch(check));
  for (const Tensor& input : check.request.inputs) {
    MM_RETURN_IF_ERROR(check_sizes(check, input));
    MM_RETURN_IF_ERROR(check_bytes(check, input));
  }
  return ok_status();
}

}  // namespace

bool has_batch_dimension(const ModelDefinition& definition) { return definition.max_batch_size.value_or(0) > 0; }

Status check_inputs(const ModelVersion& version, InferRequest& request) {
  const Check check{version, request, has_batch_dimension(version.definition())};
  request.batch_rows = 1;
  if (check.signature().open) return check_open(check);
  MM_RETURN_IF_ERROR(check_names(check));
  order_inputs(check);
  if (check.batched) MM_RETURN_IF_ERROR(check_batch(check));
  for (const Tensor& input : request.inputs) {
    const TensorSpec& spec = *check.signature().input(input.name);
    if (input.dtype != spec.dtype) {
      return check.error("inference input '" + input.name + "' data-type is '" + std::string(dtype_name(input.dtype)) +
                         "', but model '" + version.name() + "' expects '" + std::string(dtype_name(spec.dtype)) + "'");
    }
    MM_RETURN_IF_ERROR(check_shape(check, spec, input));
    MM_RETURN_IF_ERROR(check_bytes(check, input));
  }
  return ok_status();
}

}  // namespace modelmill
