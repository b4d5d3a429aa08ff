#include "dialect/tfserving/json_predict.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "dialect/json_input.h"
#include "dialect/json_output.h"
#include "dialect/json_shape.h"
#include "dialect/tfserving/json_values.h"
#include "dialect/tfserving/model_target.h"

namespace modelmill::tfserving {
namespace {

namespace dom = simdjson::dom;

void append_string(std::string& out, std::string_view text) {
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length).append(text);
}

/// Appends the strings of nested arrays whose shape was checked.
Status append_strings(std::string& out, dom::element value, const NumberArrays* apart) {
  dom::array items;
  if (value.get_array().get(items) == simdjson::SUCCESS) {
    for (const dom::element item : items) MM_RETURN_IF_ERROR(append_strings(out, item, apart));
    return ok_status();
  }
  std::string_view text;
  const bool is_text = value.get_string().get(text) == simdjson::SUCCESS;
  if (is_text && (apart == nullptr || apart->find(value) == nullptr)) {
    append_string(out, text);
    return ok_status();
  }
  if (!value.is_object()) return invalid_argument(shown_value(value) + " is not of expected type: string");
  MM_ASSIGN_OR_RETURN(const std::string bytes, base64_object_bytes(value));
  append_string(out, bytes);
  return ok_status();
}

Status of_input(const Status& status, const TensorSpec& spec) {
  return status.with_context("input '" + spec.name + "' takes " + std::string(dtype_name(spec.dtype)));
}

int64_t count_of(const Shape& shape) { return element_count(dims(shape)).value_or(-1); }

/// The elements of `value`, whose shape is `shape`, for an input.
Result<Bytes> read_elements(dom::element value, const TensorSpec& spec, const Shape& shape, const NumberArrays* apart) {
  if (spec.dtype == DataType::kBytes) {
    std::string strings;
    MM_RETURN_IF_ERROR(append_strings(strings, value, apart));
    return Bytes::from_string(std::move(strings));
  }
  Result<Bytes> bytes = read_json_elements(value, spec.dtype, count_of(shape), JsonNumbers::kExact, apart);
  if (bytes.ok()) return bytes;
  return of_input(bytes.status(), spec);
}

/// The same behind those of other rows.
Status append_elements(std::string& out, dom::element value, const TensorSpec& spec, const Shape& shape,
                       const NumberArrays* apart) {
  if (spec.dtype == DataType::kBytes) return append_strings(out, value, apart);
  const Status status = append_parsed_elements(value, spec.dtype, count_of(shape), JsonNumbers::kExact, apart, out);
  return status.ok() ? status : of_input(status, spec);
}

/// Adds an input that `value` has the whole of.
Status read_input(dom::element value, const TensorSpec& spec, const NumberArrays* apart, InferRequest& request) {
  Tensor tensor;
  tensor.name = spec.name;
  tensor.dtype = spec.dtype;
  if (const Status status = json_shape(value, apart, tensor.shape); !status.ok())
    return status.with_context("input '" + spec.name + "'");
  MM_ASSIGN_OR_RETURN(Bytes elements, read_elements(value, spec, tensor.shape, apart));
  tensor.data.push_back(std::move(elements));
  request.inputs.push_back(std::move(tensor));
  return ok_status();
}

std::string input_names(const Signature& signature) {
  std::string out;
  for (const TensorSpec& spec : signature.inputs) out += (out.empty() ? "" : ",") + spec.name;
  return out;
}

bool is_named(dom::element value) { return value.is_object() && !is_base64_object(value); }

/// One input of rows that name their values, as it grows.
struct Column {
  const TensorSpec* spec;
  Shape shape;  // of a row
  std::string elements = {};
  int64_t rows = 0;
};

/// "instances" whose rows are objects with a value for each input.
class NamedRows {
 public:
  NamedRows(const Signature& signature, const NumberArrays* apart) : signature_(signature), apart_(apart) {}

  Status add(dom::element row) {
    dom::object object;
    if (!is_named(row) || row.get_object().get(object) != simdjson::SUCCESS)
      return invalid_argument("Expecting object but got list at item " + std::to_string(rows_) + " of input list");
    for (const auto& [name, value] : object)
      if (const Status status = add_value(name, value); !status.ok())
        return status.with_context("Failed to process element: " + std::to_string(rows_) +
                                   " key: " + std::string(name) + " of 'instances' list. Error");
    ++rows_;
    for (const Column& column : columns_)
      if (column.rows != rows_) return wrong_keys(row);
    for (const TensorSpec& spec : signature_.inputs)
      if (!spec.optional && find(spec) == nullptr) return wrong_keys(row);
    return ok_status();
  }

  void move_to(InferRequest& request) {
    for (Column& column : columns_) {
      Tensor& tensor = request.inputs.emplace_back();
      tensor.name = column.spec->name;
      tensor.dtype = column.spec->dtype;
      tensor.shape = std::move(column.shape);
      tensor.shape.insert(tensor.shape.begin(), rows_);
      tensor.data.push_back(Bytes::from_string(std::move(column.elements)));
    }
  }

 private:
  Column* find(const TensorSpec& spec) {
    const auto it = std::find_if(columns_.begin(), columns_.end(), [&](const Column& c) { return c.spec == &spec; });
    return it == columns_.end() ? nullptr : &*it;
  }

  Status add_value(std::string_view name, dom::element value) {
    const TensorSpec* spec = signature_.input(name);
    if (spec == nullptr) return invalid_argument("JSON object: does not have named input: " + std::string(name));
    Shape shape;
    MM_RETURN_IF_ERROR(json_shape(value, apart_, shape));
    Column* column = find(*spec);
    if (column == nullptr) column = &columns_.emplace_back(Column{spec, shape});
    if (column->shape != shape)
      return invalid_argument("Expecting shape " + shape_text(dims(column->shape)) +
                              " but got: " + shape_text(dims(shape)));
    if (column->rows != rows_) return invalid_argument("it is there twice, or not in every element");
    ++column->rows;
    return append_elements(column->elements, value, *spec, shape, apart_);
  }

  Status wrong_keys(dom::element row) const {
    return invalid_argument("Failed to process element: " + std::to_string(rows_ - 1) +
                            " of 'instances' list. JSON object: " + shown_value(row) +
                            " keys must be equal to: " + input_names(signature_));
  }

  const Signature& signature_;
  const NumberArrays* const apart_;
  std::vector<Column> columns_;
  int64_t rows_ = 0;
};

Status read_rows(dom::element value, const Signature& signature, const NumberArrays* apart, InferRequest& request) {
  dom::array rows;
  if (value.get_array().get(rows) != simdjson::SUCCESS)
    return invalid_argument(shown_value(value) + " Expecting 'instances' to be an list/array");
  if (rows.begin() == rows.end()) return invalid_argument("No values in 'instances' array");
  if (is_named(*rows.begin())) {
    NamedRows named(signature, apart);
    for (const dom::element row : rows) MM_RETURN_IF_ERROR(named.add(row));
    named.move_to(request);
    return ok_status();
  }
  if (signature.inputs.size() != 1)
    return invalid_argument(
        "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
        "tensorinfo_map");
  int64_t item = 0;
  for (const dom::element row : rows) {
    if (is_named(row))
      return invalid_argument("Expecting value/list but got object at item " + std::to_string(item) + " of input list");
    ++item;
  }
  return read_input(value, signature.inputs[0], apart, request);
}

Status read_columns(dom::element value, const Signature& signature, const NumberArrays* apart, InferRequest& request) {
  if (!is_named(value)) {
    if (signature.inputs.size() != 1)
      return invalid_argument(
          "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
          "tensorinfo_map");
    return read_input(value, signature.inputs[0], apart, request);
  }
  const dom::object object = value.get_object().value_unsafe();
  for (const TensorSpec& spec : signature.inputs) {
    dom::element item;
    if (object[spec.name].get(item) == simdjson::SUCCESS) {
      MM_RETURN_IF_ERROR(read_input(item, spec, apart, request));
    } else if (!spec.optional) {
      return invalid_argument("Missing named input: " + spec.name + " in 'inputs' object.");
    }
  }
  return ok_status();
}

void append_base64(std::string& out, std::span<const int64_t> shape, std::string_view& elements) {
  if (shape.empty()) {
    uint32_t length = 0;
    std::memcpy(&length, elements.data(), sizeof length);
    append_base64_object(out, elements.substr(sizeof length, length));
    elements.remove_prefix(sizeof length + length);
    return;
  }
  out += '[';
  for (int64_t i = 0; i < shape[0]; ++i) {
    if (i != 0) out += ',';
    append_base64(out, shape.subspan(1), elements);
  }
  out += ']';
}

/// Strings of an output with such a name are bytes.
bool is_base64(const Tensor& tensor) { return tensor.dtype == DataType::kBytes && tensor.name.ends_with("_bytes"); }

Status append_value(std::string& out, const Tensor& tensor) {
  if (!is_base64(tensor)) return append_json_elements(out, tensor, /*nested=*/true);
  if (const Status fits = check_tensor_bytes(tensor); !fits.ok()) return internal(fits.message());
  const Bytes elements = tensor.contiguous();
  std::string_view rest = elements.view();
  append_base64(out, dims(tensor.shape), rest);
  return ok_status();
}

void append_key(std::string& out, bool first, std::string_view name) {
  if (!first) out += ',';
  append_json_string(out, name);
  out += ':';
}

/// How many rows all outputs have.
Result<int64_t> common_rows(const InferResponse& response) {
  int64_t rows = -1;
  for (const Tensor& tensor : response.outputs) {
    if (tensor.shape.empty()) return invalid_argument("Tensor name: " + tensor.name + " has no shape information ");
    if (rows >= 0 && rows != tensor.shape[0])
      return invalid_argument("Tensor name: " + tensor.name + " has inconsistent batch size: " +
                              std::to_string(tensor.shape[0]) + " expecting: " + std::to_string(rows));
    rows = tensor.shape[0];
  }
  return rows;
}

/// One output of rows that name their values.
class NamedColumn {
 public:
  /// `tensor` fits its shape.
  NamedColumn(const Tensor& tensor, bool first)
      : bytes_(tensor.contiguous()),
        shape_(dims(tensor.shape).subspan(1)),
        is_base64_(is_base64(tensor)),
        rows_(tensor) {
    append_key(key_, first, tensor.name);
    rest_ = bytes_.view();
  }

  void append_row(std::string& out) {
    out += key_;
    if (is_base64_)
      append_base64(out, shape_, rest_);
    else
      rows_.append(out);
  }

 private:
  const Bytes bytes_;
  const std::span<const int64_t> shape_;
  const bool is_base64_;
  JsonRows rows_;
  std::string key_;
  std::string_view rest_;  // of the strings
};

Status append_named_rows(std::string& out, const InferResponse& response, int64_t count) {
  std::vector<NamedColumn> columns;
  columns.reserve(response.outputs.size());
  size_t bytes = 0;
  for (const Tensor& tensor : response.outputs) {
    if (const Status fits = check_tensor_bytes(tensor); !fits.ok()) return internal(fits.message());
    columns.emplace_back(tensor, columns.empty());
    bytes += tensor.byte_size() * 3 + static_cast<size_t>(count) * (tensor.name.size() + 8);
  }
  out.reserve(out.size() + bytes);
  out += '[';
  for (int64_t i = 0; i < count; ++i) {
    out += i == 0 ? "{" : ",{";
    for (NamedColumn& column : columns) column.append_row(out);
    out += '}';
  }
  out += ']';
  return ok_status();
}

}  // namespace

Result<JsonFormat> read_json_predict(const Bytes& body, const ModelVersion& version, InferRequest& request) {
  const ThreadJsonParser parser;
  const NumberArrays numbers(body.view());
  const NumberArrays* apart = numbers.empty() ? nullptr : &numbers;
  MM_ASSIGN_OR_RETURN(const dom::object object, read_json_body(*parser, body, apart));
  MM_ASSIGN_OR_RETURN(const ModelVersion* const entry, json_signature(object, version));
  aim_at(*entry, version, request);
  dom::element instances, inputs;
  const bool has_instances = object["instances"].get(instances) == simdjson::SUCCESS;
  const bool has_inputs = object["inputs"].get(inputs) == simdjson::SUCCESS;
  if (has_instances && has_inputs)
    return invalid_argument(
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist in the JSON object");
  if (!has_instances && !has_inputs) return invalid_argument("Missing 'inputs' or 'instances' key");
  const Signature& signature = entry->signature();
  MM_RETURN_IF_ERROR(has_instances ? read_rows(instances, signature, apart, request)
                                   : read_columns(inputs, signature, apart, request));
  return has_instances ? JsonFormat::kRow : JsonFormat::kColumn;
}

Result<std::string> write_json_predict(const InferResponse& response, JsonFormat format) {
  return write_json_predict(response, format, format == JsonFormat::kRow ? "predictions" : "outputs");
}

Result<std::string> write_json_predict(const InferResponse& response, JsonFormat format, std::string_view member) {
  if (response.outputs.empty()) return invalid_argument("Cannot convert empty tensor map to JSON");
  const bool named = response.outputs.size() > 1;
  std::string out = "{";
  append_key(out, /*first=*/true, member);
  if (format == JsonFormat::kRow) {
    MM_ASSIGN_OR_RETURN(const int64_t rows, common_rows(response));
    if (named) MM_RETURN_IF_ERROR(append_named_rows(out, response, rows));
  } else if (named) {
    out += '{';
    for (const Tensor& tensor : response.outputs) {
      append_key(out, &tensor == &response.outputs.front(), tensor.name);
      MM_RETURN_IF_ERROR(append_value(out, tensor));
    }
    out += '}';
  }
  if (!named) MM_RETURN_IF_ERROR(append_value(out, response.outputs[0]));
  out += '}';
  return out;
}

}  // namespace modelmill::tfserving
