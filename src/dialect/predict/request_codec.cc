#include "dialect/predict/request_codec.h"

#include <algorithm>
#include <utility>

#include "dialect/json_input.h"
#include "dialect/json_shape.h"
#include "tensor/cast.h"
#include "tensor/csv.h"
#include "tensor/npy.h"

namespace modelmill::predict {
namespace {

namespace dom = simdjson::dom;

std::string input_names(const Signature& signature) {
  std::string text;
  for (const TensorSpec& spec : signature.inputs) text += (text.empty() ? "'" : ", '") + spec.name + "'";
  return text;
}

Status only_input(const Signature& signature, std::string_view what, const TensorSpec*& spec) {
  if (signature.inputs.size() != 1) {
    return invalid_argument(std::string(what) + " goes to one input, and this model has " +
                            std::to_string(signature.inputs.size()) + ": " + input_names(signature) +
                            "; send a JSON object with a value for each");
  }
  spec = &signature.inputs[0];
  return ok_status();
}

/// Adds the first dimension where the input has all but that; true when it did.
bool complete_shape(const TensorSpec& spec, Shape& shape) {
  if (shape.size() + 1 != spec.shape.size() || spec.shape[0] > 1) return false;
  if (!shape_matches(dims(spec.shape).subspan(1), dims(shape))) return false;
  shape.insert(shape.begin(), 1);
  return true;
}

Status wrong_shape(const TensorSpec& spec, const Shape& shape) {
  return invalid_argument("input '" + spec.name + "' has shape " + shape_text(dims(shape)) + ", expected " +
                          shape_text(dims(spec.shape)));
}

Status read_json_input(dom::element value, const TensorSpec& spec, const NumberArrays* apart, InferRequest& request,
                       bool& added) {
  Tensor& tensor = request.inputs.emplace_back();
  tensor.name = spec.name;
  tensor.dtype = spec.dtype;
  if (const Status status = json_shape(value, apart, tensor.shape); !status.ok()) {
    return status.with_context("input '" + spec.name + "'");
  }
  added = complete_shape(spec, tensor.shape);
  if (!shape_matches(dims(spec.shape), dims(tensor.shape))) return wrong_shape(spec, tensor.shape);
  const int64_t count = element_count(dims(tensor.shape)).value_or(-1);
  Result<Bytes> bytes = read_json_elements(value, spec.dtype, count, JsonNumbers::kCast, apart);
  if (!bytes.ok()) {
    return bytes.status().with_context("input '" + spec.name + "' takes " + std::string(dtype_name(spec.dtype)));
  }
  tensor.data.push_back(std::move(bytes).value());
  return ok_status();
}

Status parse_json_inputs(const Bytes& body, const Signature& signature, InferRequest& request, bool& added_dimension) {
  const ThreadJsonParser parser;
  const NumberArrays numbers(body.view());
  const NumberArrays* apart = numbers.empty() ? nullptr : &numbers;
  MM_ASSIGN_OR_RETURN(const dom::element document,
                      apart == nullptr ? parse_json(*parser, body.view(), readable_from(body))
                                       : parse_json(*parser, numbers.rest(), numbers.rest().capacity()));
  dom::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) {
    const TensorSpec* spec = nullptr;
    MM_RETURN_IF_ERROR(only_input(signature, "a bare value", spec));
    return read_json_input(document, *spec, apart, request, added_dimension);
  }
  added_dimension = true;
  for (const auto& [name, value] : object) {
    const TensorSpec* spec = signature.input(name);
    if (spec == nullptr) {
      return invalid_argument("'" + std::string(name) + "' is no input of this model; its inputs are " +
                              input_names(signature));
    }
    bool added = false;
    MM_RETURN_IF_ERROR(read_json_input(value, *spec, apart, request, added));
    added_dimension = added_dimension && added;
  }
  return ok_status();
}

/// Columns go to the inputs that the header names.
Status parse_csv_columns(const CsvTable& table, const Signature& signature, InferRequest& request) {
  for (const TensorSpec& spec : signature.inputs) {
    const auto found = std::find(table.header.begin(), table.header.end(), spec.name);
    if (found == table.header.end()) {
      if (spec.optional) continue;
      return invalid_argument("no column of the CSV is named '" + spec.name + "'; this model's inputs are " +
                              input_names(signature) + ", and each needs a column of its name in the first line");
    }
    CsvTable column;
    for (const auto& row : table.rows) column.rows.push_back({row[found - table.header.begin()]});
    Result<Tensor> tensor = csv_to_tensor(column, spec.dtype);
    if (!tensor.ok()) return tensor.status().with_context("column '" + spec.name + "'");
    tensor->name = spec.name;
    bool added = false;
    MM_RETURN_IF_ERROR(fit_table(spec, *tensor, added));
    request.inputs.push_back(std::move(tensor).value());
  }
  return ok_status();
}

Status parse_csv_inputs(const Bytes& body, const Signature& signature, InferRequest& request) {
  MM_ASSIGN_OR_RETURN(CsvTable table, parse_csv(body.view(), signature.inputs.size() > 1));
  if (table.rows.empty()) return invalid_argument("the CSV has no rows");
  if (signature.inputs.size() > 1) return parse_csv_columns(table, signature, request);
  const TensorSpec* spec = nullptr;
  MM_RETURN_IF_ERROR(only_input(signature, "CSV", spec));
  MM_ASSIGN_OR_RETURN(Tensor tensor, csv_to_tensor(table, spec->dtype));
  tensor.name = spec->name;
  bool added = false;
  MM_RETURN_IF_ERROR(fit_table(*spec, tensor, added));
  request.inputs.push_back(std::move(tensor));
  return ok_status();
}

Status parse_npy_input(const Bytes& body, const Signature& signature, InferRequest& request, bool& added) {
  const TensorSpec* spec = nullptr;
  MM_RETURN_IF_ERROR(only_input(signature, "a .npy file", spec));
  MM_ASSIGN_OR_RETURN(Tensor array, parse_npy(body));
  array.name = spec->name;
  MM_ASSIGN_OR_RETURN(Tensor tensor, cast_tensor(array, spec->dtype));
  added = complete_shape(*spec, tensor.shape);
  if (!shape_matches(dims(spec->shape), dims(tensor.shape))) return wrong_shape(*spec, tensor.shape);
  request.inputs.push_back(std::move(tensor));
  return ok_status();
}

}  // namespace

Status fit_table(const TensorSpec& spec, Tensor& tensor, bool& added) {
  Shape& shape = tensor.shape;
  added = false;
  if (shape_matches(dims(spec.shape), dims(shape))) return ok_status();
  if (spec.shape.size() == 1 && shape.size() == 2 && (shape[0] == 1 || shape[1] == 1)) {
    shape = {shape[0] * shape[1]};
  } else if (spec.shape.size() > 2 && shape.size() == 2) {
    // A row holds the inner dimensions, flattened.
    const auto inner = dims(spec.shape).subspan(1);
    if (const auto count = element_count(inner); count && *count == shape[1]) {
      shape.resize(1);
      shape.insert(shape.end(), inner.begin(), inner.end());
    }
  }
  if (!shape_matches(dims(spec.shape), dims(shape))) added = complete_shape(spec, shape);
  return shape_matches(dims(spec.shape), dims(shape)) ? ok_status() : wrong_shape(spec, shape);
}

Format detect_format(std::string_view content_type, std::string_view body) {
  if (is_npy(body)) return Format::kNpy;
  if (content_type.starts_with("text/csv")) return Format::kCsv;
  if (content_type.starts_with("application/x-npy") || content_type.starts_with("application/octet-stream")) {
    return Format::kNpy;
  }
  if (content_type.starts_with("application/json")) return Format::kJson;
  const size_t first = body.find_first_not_of(" \t\r\n");
  const char c = first == std::string_view::npos ? '{' : body[first];
  return c == '{' || c == '[' ? Format::kJson : Format::kCsv;
}

Status parse_inputs(const Bytes& body, Format format, const Signature& signature, InferRequest& request,
                    bool& added_dimension) {
  added_dimension = false;
  if (body.empty()) return invalid_argument("the request has no body");
  switch (format) {
    case Format::kJson: return parse_json_inputs(body, signature, request, added_dimension);
    case Format::kCsv: return parse_csv_inputs(body, signature, request);
    case Format::kNpy: return parse_npy_input(body, signature, request, added_dimension);
  }
  return ok_status();
}

}  // namespace modelmill::predict
