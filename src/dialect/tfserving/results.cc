#include "dialect/tfserving/results.h"

#include <cstring>
#include <utility>
#include <vector>

#include "base/json_text.h"

namespace modelmill::tfserving {
namespace {

/// The output of that name and type, else the only one of the type; null when there is none or several.
const Tensor* find_output(const InferResponse& response, std::string_view name, DataType dtype) {
  const Tensor* only = nullptr;
  int found = 0;
  for (const Tensor& tensor : response.outputs) {
    if (tensor.dtype != dtype) continue;
    if (tensor.name == name) return &tensor;
    only = &tensor;
    ++found;
  }
  return found == 1 ? only : nullptr;
}

std::string outputs_text(const InferResponse& response) {
  std::string out;
  for (const Tensor& tensor : response.outputs)
    out += (out.empty() ? "" : ", ") + tensor.name + " " + std::string(dtype_name(tensor.dtype)) +
           shape_text(dims(tensor.shape));
  return out;
}

Status check_classes(const Tensor& tensor, size_t examples) {
  if (tensor.shape.size() != 2)
    return invalid_argument("Expected Tensor shape: [batch_size num_classes] but got " +
                            shape_text(dims(tensor.shape)));
  if (tensor.shape[0] != static_cast<int64_t>(examples))
    return invalid_argument("Expected " + tensor.name + " output batch size of " + std::to_string(examples) +
                            ". Got: " + std::to_string(tensor.shape[0]));
  if (const Status fits = check_tensor_bytes(tensor); !fits.ok()) return internal(fits.message());
  return ok_status();
}

std::vector<std::string_view> strings_of(const Bytes& bytes) {
  std::vector<std::string_view> out;
  for (std::string_view rest = bytes.view(); !rest.empty();) {
    uint32_t length = 0;
    std::memcpy(&length, rest.data(), sizeof length);
    out.push_back(rest.substr(sizeof length, length));
    rest.remove_prefix(sizeof length + length);
  }
  return out;
}

std::vector<float> floats_of(const Bytes& bytes) {
  std::vector<float> out(bytes.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), out.size() * sizeof(float));
  return out;
}

}  // namespace

Result<ClassificationResult> classification_of(const InferResponse& response, const ModelVersion::Description& model,
                                               size_t examples) {
  const Tensor* classes = find_output(response, "classes", DataType::kBytes);
  const Tensor* scores = find_output(response, "scores", DataType::kFp32);
  if (classes == nullptr && scores == nullptr)
    return invalid_argument(
        "Expected classification signature outputs to contain at least one of \"classes\" or \"scores\"; the model "
        "has " +
        outputs_text(response));
  if (classes != nullptr) MM_RETURN_IF_ERROR(check_classes(*classes, examples));
  if (scores != nullptr) MM_RETURN_IF_ERROR(check_classes(*scores, examples));
  if (classes != nullptr && scores != nullptr && classes->shape[1] != scores->shape[1])
    return invalid_argument("Tensors class and score should match in dim_size(1). Got " +
                            std::to_string(classes->shape[1]) + " vs. " + std::to_string(scores->shape[1]));
  const Bytes names = classes != nullptr ? classes->contiguous() : Bytes();
  const auto labels = strings_of(names);
  const auto values = scores != nullptr ? floats_of(scores->contiguous()) : std::vector<float>();
  const auto file = scores != nullptr ? model.labels.find(scores->name) : model.labels.end();
  const auto width = static_cast<size_t>((classes != nullptr ? classes : scores)->shape[1]);
  ClassificationResult out;
  for (size_t i = 0; i < examples; ++i) {
    auto& row = *out.add_classifications();
    for (size_t j = 0; j < width; ++j) {
      auto& entry = *row.add_classes();
      if (!labels.empty())
        entry.set_label(std::string(labels[i * width + j]));
      else if (file != model.labels.end() && j < file->second.size())
        entry.set_label(file->second[j]);
      if (!values.empty()) entry.set_score(values[i * width + j]);
    }
  }
  return out;
}

Result<RegressionResult> regression_of(const InferResponse& response, size_t examples) {
  const Tensor* values = find_output(response, "outputs", DataType::kFp32);
  if (values == nullptr)
    return invalid_argument(
        "No regression outputs found: expected \"outputs\", or one output of floats; the model has " +
        outputs_text(response));
  const bool fits = values->shape.size() == 1 || (values->shape.size() == 2 && values->shape[1] == 1);
  if (!fits)
    return invalid_argument("Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got " +
                            shape_text(dims(values->shape)));
  if (values->shape[0] != static_cast<int64_t>(examples))
    return invalid_argument("Expected output batch size to be " + std::to_string(examples) +
                            ". Got: " + std::to_string(values->shape[0]));
  if (const Status bytes = check_tensor_bytes(*values); !bytes.ok()) return internal(bytes.message());
  RegressionResult out;
  for (const float value : floats_of(values->contiguous())) out.add_regressions()->set_value(value);
  return out;
}

std::string json_of(const ClassificationResult& result) {
  std::string out = R"({"results":[)";
  for (const auto& row : result.classifications()) {
    if (&row != &result.classifications(0)) out += ',';
    out += '[';
    for (const auto& entry : row.classes()) {
      out += &entry == &row.classes(0) ? "[" : ",[";
      append_json_string(out, entry.label());
      out += ',';
      append_json_number(out, entry.score());
      out += ']';
    }
    out += ']';
  }
  return out + "]}";
}

std::string json_of(const RegressionResult& result) {
  std::string out = R"({"results":[)";
  for (const auto& entry : result.regressions()) {
    if (&entry != &result.regressions(0)) out += ',';
    append_json_number(out, entry.value());
  }
  return out + "]}";
}

}  // namespace modelmill::tfserving
