#include "dialect/kserve_v2/generate_codec.h"

#include <simdjson.h>

#include <utility>

#include "base/json_text.h"
#include "dialect/json_input.h"
#include "dialect/json_output.h"
#include "dialect/kserve_v2/json_parameter.h"

namespace modelmill::kserve_v2 {
namespace {

namespace dom = simdjson::dom;

/// `parameters` may hold inputs, but no further object.
enum class Level { kTop, kParameters };

int64_t count_elements(dom::element value, const NumberArrays* apart) {
  dom::array items;
  if (value.get_array().get(items) != simdjson::SUCCESS) {
    const NumberArrays::Array* array = apart != nullptr ? apart->find(value) : nullptr;
    return array != nullptr ? array->values.count : 1;
  }
  int64_t count = 0;
  for (const dom::element item : items) count += count_elements(item, apart);
  return count;
}

/// The input's shape with `count` elements: what its sizes leave over is the last of the open ones, the others are 1.
Status fit_shape(const TensorSpec& spec, int64_t count, Shape& shape) {
  shape = spec.shape;
  int64_t known = 1;
  int64_t* open = nullptr;
  for (int64_t& size : shape) {
    if (size >= 0) {
      known *= size;
    } else {
      size = 1;
      open = &size;
    }
  }
  if (open != nullptr && known > 0) *open = count / known;
  if (element_count(dims(shape)).value_or(-1) == count) return ok_status();
  return invalid_argument("input '" + spec.name + "' has shape " + shape_text(dims(spec.shape)) + ", into which its " +
                          std::to_string(count) + " elements do not fit");
}

Status read_input(dom::element value, const TensorSpec& spec, const NumberArrays* apart, InferRequest& request) {
  if (request.input(spec.name) != nullptr) {
    return invalid_argument("input '" + spec.name + "' is given twice");
  }
  Tensor& tensor = request.inputs.emplace_back();
  tensor.name = spec.name;
  tensor.dtype = spec.dtype;
  const int64_t count = count_elements(value, apart);
  MM_RETURN_IF_ERROR(fit_shape(spec, count, tensor.shape));
  Result<Bytes> bytes = read_json_elements(value, spec.dtype, count, JsonNumbers::kCast, apart);
  if (!bytes.ok()) {
    return bytes.status().with_context("input '" + spec.name + "' takes " + std::string(dtype_name(spec.dtype)));
  }
  tensor.data.push_back(std::move(bytes).value());
  return ok_status();
}

Status read_parameter(std::string_view name, dom::element value, InferRequest& request) {
  return apply_json_parameter(
      name, value,
      "'" + std::string(name) + "' is no input of this model, and a parameter is a string, a number, true or false",
      request);
}

Status read_members(dom::object object, Level level, const Signature& signature, const NumberArrays* apart,
                    InferRequest& request) {
  for (const auto& [name, value] : object) {
    dom::object inner;
    std::string_view text;
    if (const TensorSpec* spec = signature.input(name)) {
      MM_RETURN_IF_ERROR(read_input(value, *spec, apart, request));
    } else if (level == Level::kTop && name == "parameters") {
      if (value.get_object().get(inner) != simdjson::SUCCESS) {
        return invalid_argument("'parameters' must be an object");
      }
      MM_RETURN_IF_ERROR(read_members(inner, Level::kParameters, signature, apart, request));
    } else if (level == Level::kTop && name == "id") {
      if (value.get_string().get(text) != simdjson::SUCCESS) return invalid_argument("'id' must be a string");
      request.id = text;
    } else {
      MM_RETURN_IF_ERROR(read_parameter(name, value, request));
    }
  }
  return ok_status();
}

Status write_output(JsonWriter& json, const Tensor& tensor) {
  std::string elements;
  if (element_count(dims(tensor.shape)).value_or(0) == 1) {
    Tensor scalar = tensor;
    scalar.shape.clear();
    MM_RETURN_IF_ERROR(append_json_elements(elements, scalar, /*nested=*/true));
  } else {
    MM_RETURN_IF_ERROR(append_json_elements(elements, tensor, /*nested=*/false));
  }
  json.key(tensor.name).raw(elements);
  return ok_status();
}

}  // namespace

Status parse_generate(const Bytes& body, const Signature& signature, InferRequest& request) {
  const ThreadJsonParser parser;
  const NumberArrays apart(body.view());
  const Result<dom::element> document = apart.empty() ? parse_json(*parser, body.view(), readable_from(body))
                                                      : parse_json(*parser, apart.rest(), apart.rest().capacity());
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  dom::object object;
  if (document->get_object().get(object) != simdjson::SUCCESS) {
    return invalid_argument("failed to parse the request JSON buffer: expected an object with a value for each input");
  }
  return read_members(object, Level::kTop, signature, apart.empty() ? nullptr : &apart, request);
}

Result<std::string> write_generate(const InferResponse& response, std::string_view model, int64_t version,
                                   std::string_view id) {
  JsonWriter json;
  json.begin_object();
  if (!response.status.ok()) return json.field("error", response.status.message()).end_object().take();
  if (!id.empty()) json.field("id", id);
  json.field("model_name", model).field("model_version", std::to_string(version));
  for (const auto& [name, value] : response.parameters) {
    json.key(name);
    std::visit([&](const auto& v) { json.value(v); }, value);
  }
  for (const Tensor& tensor : response.outputs) MM_RETURN_IF_ERROR(write_output(json, tensor));
  json.end_object();
  return json.take();
}

}  // namespace modelmill::kserve_v2
