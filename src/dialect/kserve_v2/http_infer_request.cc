#include <algorithm>
#include <limits>
#include <optional>

#include "dialect/json_input.h"
#include "dialect/kserve_v2/http_infer_codec.h"
#include "dialect/kserve_v2/json_parameter.h"

namespace modelmill::kserve_v2 {
namespace {

namespace dom = simdjson::dom;

Status unable(std::string_view field, std::string_view expected) {
  return invalid_argument("Unable to parse '" + std::string(field) + "': expected " + std::string(expected));
}

bool find(dom::object object, std::string_view key, dom::element& value) {
  return object.at_key(key).get(value) == simdjson::SUCCESS;
}

Status read_string(dom::object object, std::string_view key, std::string& out) {
  std::string_view text;
  if (object.at_key(key).get_string().get(text) != simdjson::SUCCESS) return unable(key, "a string");
  out = text;
  return ok_status();
}

/// An object under `key`, or nothing; another type is an error.
Status find_object(dom::object object, std::string_view key, std::optional<dom::object>& out) {
  dom::element value;
  if (!find(object, key, value) || value.is_null()) return ok_status();
  dom::object found;
  if (value.get_object().get(found) != simdjson::SUCCESS) return unable(key, "an object");
  out = found;
  return ok_status();
}

/// Hands out the binary part of the body, input after input.
class BinaryPart {
 public:
  BinaryPart(const Bytes& body, size_t header_length) : body_(body), at_(header_length) {}
  size_t left() const { return body_.size() - at_; }
  Bytes take(size_t size) {
    Bytes bytes = body_.slice(at_, size);
    at_ += size;
    return bytes;
  }

 private:
  const Bytes& body_;
  size_t at_;
};

Status read_shape(dom::object input, Tensor& tensor) {
  dom::array sizes;
  if (input.at_key("shape").get_array().get(sizes) != simdjson::SUCCESS) return unable("shape", "an array");
  for (const dom::element size : sizes) {
    uint64_t value = 0;
    if (size.get_uint64().get(value) != simdjson::SUCCESS) {
      return unable("shape", "sizes that are whole numbers and not negative, for input '" + tensor.name + "'");
    }
    if (tensor.shape.size() == kMaxRank) {
      return invalid_argument("input '" + tensor.name + "' has more than " + std::to_string(kMaxRank) + " dimensions");
    }
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
      return invalid_argument("invalid shape for input '" + tensor.name + "': the size " + std::to_string(value) +
                              " contains one or more invalid dimensions; sizes stay below 2^63");
    }
    tensor.shape.push_back(static_cast<int64_t>(value));
  }
  return ok_status();
}

/// Where an input's data is; exactly one of the three must be given.
struct InputSource {
  std::optional<dom::element> data;
  std::optional<dom::element> binary_size;
  std::optional<dom::element> shared_memory;
};

Status find_source(dom::object input, InputSource& source) {
  dom::element value;
  if (find(input, "data", value)) source.data = value;
  std::optional<dom::object> parameters;
  MM_RETURN_IF_ERROR(find_object(input, "parameters", parameters));
  if (parameters && find(*parameters, "binary_data_size", value)) source.binary_size = value;
  if (parameters && find(*parameters, "shared_memory_region", value)) source.shared_memory = value;
  const int set = source.data.has_value() + source.binary_size.has_value() + source.shared_memory.has_value();
  if (set == 1) return ok_status();
  std::string text =
      "Input must set only one of the following fields: 'data', 'binary_data_size' in 'parameters', "
      "'shared_memory_region' in 'parameters'. But";
  if (set == 0) return invalid_argument(text + " no field is set");
  text += " set";
  if (source.data) text += " 'data'";
  if (source.binary_size) text += " 'binary_data_size'";
  if (source.shared_memory) text += " 'shared_memory_region'";
  return invalid_argument(std::move(text));
}

Status read_binary(const InputSource& source, std::string_view model, BinaryPart& binary, Tensor& tensor) {
  uint64_t size = 0;
  if (source.binary_size->get_uint64().get(size) != simdjson::SUCCESS) {
    return unable("binary_data_size", "a number of bytes");
  }
  if (size > binary.left()) {
    return invalid_argument("unexpected size for input '" + tensor.name + "', expecting " +
                            std::to_string(size - binary.left()) + " additional bytes for model '" +
                            std::string(model) + "': its binary_data_size is " + std::to_string(size) +
                            ", and the body has " + std::to_string(binary.left()) + " bytes left");
  }
  Bytes bytes = binary.take(size);
  // The JSON in front may be of any length; what runs the model may count on elements at their natural places.
  const size_t element = dtype_size(tensor.dtype);
  if (element > 1 && reinterpret_cast<uintptr_t>(bytes.data()) % element != 0) bytes = Bytes::copy_of(bytes.view());
  tensor.data.push_back(std::move(bytes));
  return ok_status();
}

/// `open`: for code that takes what numpy makes of it.
Status read_data(dom::element data, const NumberArrays* apart, bool open, Tensor& tensor) {
  if (!open && (tensor.dtype == DataType::kFp16 || tensor.dtype == DataType::kBf16)) {
    return invalid_argument("receiving " + std::string(dtype_name(tensor.dtype)) +
                            " data via JSON is not supported. Please use the binary data format for input " +
                            tensor.name);
  }
  if (!data.is_array() && !open) return unable("data", "an array, for input '" + tensor.name + "'");
  const auto count = element_count(dims(tensor.shape));
  if (!count) {
    return invalid_argument("invalid shape for input '" + tensor.name + "': shape " + shape_text(dims(tensor.shape)) +
                            " causes total element count to exceed maximum size of " +
                            std::to_string(std::numeric_limits<int64_t>::max()));
  }
  const JsonNumbers numbers = open ? JsonNumbers::kCast : JsonNumbers::kExact;
  Result<Bytes> bytes = read_json_elements(data, tensor.dtype, *count, numbers, apart);
  if (!bytes.ok()) {
    return invalid_argument(
        "Unable to parse 'data': input '" + tensor.name + "' (" + std::string(dtype_name(tensor.dtype)) + ", shape " +
        shape_text(dims(tensor.shape)) +
        "): Shape does not match true shape of 'data' field, or a value its type: " + bytes.status().message());
  }
  tensor.data.push_back(std::move(bytes).value());
  return ok_status();
}

/// The parameters by which an input or output lies in shared memory; an error names `tensor`.
Status read_shared(dom::object input, const std::string& tensor, SharedParameters& shared) {
  std::optional<dom::object> parameters;
  MM_RETURN_IF_ERROR(find_object(input, "parameters", parameters));
  for (const auto& [name, value] : *parameters) {
    if (!SharedParameters::knows(name)) continue;
    const std::optional<ParameterValue> parameter = json_parameter(value);
    shared.set(name, parameter ? &*parameter : nullptr);
  }
  return shared.check(tensor);
}

int64_t count_values(dom::element data) {
  dom::array items;
  if (data.get_array().get(items) != simdjson::SUCCESS) return 1;
  int64_t count = 0;
  for (const dom::element item : items) count += count_values(item);
  return count;
}

/// MLServer does not hold texts to their shape, in which some clients write how long a text is: then the tensor has as
/// many as there are, and the code behind an open signature is told what was written.
void loosen_shape(dom::element texts, Tensor& tensor, OpenRequest& open) {
  const int64_t count = count_values(texts);
  if (element_count(dims(tensor.shape)) == count) return;
  open.add_shape(tensor.name, dims(tensor.shape));
  tensor.shape.assign(1, count);
}

/// Whether what is read is code's with an open signature, which takes more than the protocol has.
bool is_lenient(const OpenRequest* open) { return open != nullptr && open->is_lenient(); }

/// What a tensor's JSON says beside its data, for an open signature.
OpenRequest::Members members_beside(dom::object tensor, const NumberArrays* apart) {
  OpenRequest::Members members;
  dom::object parameters;
  if (tensor.at_key("parameters").get_object().get(parameters) == simdjson::SUCCESS) members.add(parameters, apart);
  return members;
}

Status read_input(dom::element element, const NumberArrays* apart, InferRequest& request, BinaryPart& binary,
                  SharedTensors& shared, OpenRequest* open) {
  dom::object input;
  if (element.get_object().get(input) != simdjson::SUCCESS) return unable("inputs", "an array of objects");
  InputSource source;
  MM_RETURN_IF_ERROR(find_source(input, source));
  Tensor& tensor = request.inputs.emplace_back();
  MM_RETURN_IF_ERROR(read_string(input, "name", tensor.name));
  std::string dtype;
  MM_RETURN_IF_ERROR(read_string(input, "datatype", dtype));
  const auto parsed = parse_dtype(dtype);
  if (!parsed) {
    return invalid_argument("invalid datatype for input " + tensor.name + ": '" + dtype +
                            "' is none of the protocol's (FP32, INT64, BYTES, ...)");
  }
  tensor.dtype = *parsed;
  MM_RETURN_IF_ERROR(read_shape(input, tensor));
  if (open != nullptr) open->add_input(tensor.name, members_beside(input, apart));
  if (open != nullptr && source.data) {
    open->set_json();
    if (open->is_lenient() && tensor.dtype == DataType::kBytes) loosen_shape(*source.data, tensor, *open);
  }
  if (source.binary_size) return read_binary(source, request.model, binary, tensor);
  if (source.data) return read_data(*source.data, apart, is_lenient(open), tensor);
  SharedParameters place;
  MM_RETURN_IF_ERROR(read_shared(input, tensor.name, place));
  return shared.add_input(request.inputs.size() - 1, place.region(), place.offset(), place.size());
}

Status read_shared_output(dom::object output, const std::string& name, SharedTensors& shared) {
  std::optional<dom::object> parameters;
  MM_RETURN_IF_ERROR(find_object(output, "parameters", parameters));
  dom::element value;
  if (find(*parameters, "classification", value))
    return invalid_argument("Output can't set both 'shared_memory_region' and 'classification'");
  bool binary = false;
  if (find(*parameters, "binary_data", value) && value.get_bool().get(binary) != simdjson::SUCCESS)
    return unable("binary_data", "true or false");
  if (binary) return invalid_argument("Output can't set both 'shared_memory_region' and 'binary_data'");
  SharedParameters place;
  MM_RETURN_IF_ERROR(read_shared(output, name, place));
  return shared.add_output(name, place.region(), place.offset(), place.size());
}

Status read_output(dom::element element, const NumberArrays* apart, HttpOutputs& outputs, SharedTensors& shared,
                   OpenRequest* open) {
  dom::object output;
  if (element.get_object().get(output) != simdjson::SUCCESS) return unable("outputs", "an array of objects");
  RequestedOutput& wish = outputs.requested.emplace_back();
  bool binary = false;
  MM_RETURN_IF_ERROR(read_string(output, "name", wish.name));
  if (open != nullptr) open->add_output(wish.name, members_beside(output, apart));
  std::optional<dom::object> parameters;
  MM_RETURN_IF_ERROR(find_object(output, "parameters", parameters));
  dom::element value;
  if (parameters && find(*parameters, "shared_memory_region", value)) {
    const auto& requested = outputs.requested;
    if (std::any_of(requested.begin(), requested.end() - 1, [&](const auto& other) { return other.name == wish.name; }))
      return invalid_argument("output '" + wish.name + "' is asked for twice; it goes to one place");
    outputs.forms.push_back(HttpForm::kShared);
    return read_shared_output(output, wish.name, shared);
  }
  if (parameters && find(*parameters, "classification", value)) {
    uint64_t classes = 0;
    if (value.get_uint64().get(classes) != simdjson::SUCCESS) return unable("classification", "a number of classes");
    wish.classes = static_cast<uint32_t>(std::min<uint64_t>(classes, std::numeric_limits<uint32_t>::max()));
  }
  if (parameters && find(*parameters, "binary_data", value)) {
    if (value.get_bool().get(binary) != simdjson::SUCCESS) return unable("binary_data", "true or false");
  }
  outputs.forms.push_back(binary ? HttpForm::kBinary : HttpForm::kJson);
  return ok_status();
}

Status read_parameter(std::string_view name, dom::element value, InferRequest& request, HttpOutputs& outputs,
                      bool open) {
  if (name == "binary_data_output") {
    bool binary = false;
    if (value.get_bool().get(binary) != simdjson::SUCCESS) return unable("binary_data_output", "true or false");
    outputs.default_form = binary ? HttpForm::kBinary : HttpForm::kJson;
    return ok_status();
  }
  if (open && !json_parameter(value)) return ok_status();  // code may take what the protocol has not
  return apply_json_parameter(
      name, value,
      "parameter '" + std::string(name) + "' has invalid type. It should be either 'int', 'bool', or 'string'.",
      request);
}

Status read_parameters(dom::object document, const NumberArrays* apart, InferRequest& request, HttpOutputs& outputs,
                       OpenRequest* open) {
  std::optional<dom::object> parameters;
  MM_RETURN_IF_ERROR(find_object(document, "parameters", parameters));
  if (!parameters) return ok_status();
  for (const auto& [name, parameter] : *parameters)
    MM_RETURN_IF_ERROR(read_parameter(name, parameter, request, outputs, is_lenient(open)));
  if (open == nullptr) return ok_status();
  OpenRequest::Members members;
  members.add(*parameters, apart);
  open->set_parameters(std::move(members));
  return ok_status();
}

Status read_document(dom::object document, const NumberArrays* apart, BinaryPart& binary, InferRequest& request,
                     HttpOutputs& outputs, SharedTensors& shared, OpenRequest* open) {
  dom::element value;
  const bool has_id = find(document, "id", value) && !(is_lenient(open) && value.is_null());
  if (has_id) MM_RETURN_IF_ERROR(read_string(document, "id", request.id));
  MM_RETURN_IF_ERROR(read_parameters(document, apart, request, outputs, open));
  dom::array inputs;
  if (document.at_key("inputs").get_array().get(inputs) != simdjson::SUCCESS) {
    return unable("inputs", "an array 'inputs' in the request");
  }
  for (const dom::element input : inputs) MM_RETURN_IF_ERROR(read_input(input, apart, request, binary, shared, open));
  if (binary.left() != 0) {
    return invalid_argument("unexpected additional input data for model '" + request.model + "': " +
                            std::to_string(binary.left()) + " bytes behind those that binary_data_size tells of");
  }
  if (!find(document, "outputs", value) || (is_lenient(open) && value.is_null())) return ok_status();
  dom::array wishes;
  if (value.get_array().get(wishes) != simdjson::SUCCESS) return unable("outputs", "an array");
  for (const dom::element wish : wishes) MM_RETURN_IF_ERROR(read_output(wish, apart, outputs, shared, open));
  return ok_status();
}

}  // namespace

HttpForm HttpOutputs::form(std::string_view output) const {
  for (size_t i = 0; i < requested.size(); ++i) {
    if (requested[i].name == output) return forms[i];
  }
  return default_form;
}

Status parse_http_infer(const Bytes& body, size_t header_length, InferRequest& request, HttpOutputs& outputs,
                        SharedTensors& shared, OpenRequest* open) {
  const ThreadJsonParser parser;
  const std::string_view text = body.view().substr(0, header_length);
  const NumberArrays apart(text);
  const Result<dom::element> document = apart.empty() ? parse_json(*parser, text, readable_from(body))
                                                      : parse_json(*parser, apart.rest(), apart.rest().capacity());
  if (!document.ok()) return document.status().with_context("failed to parse the request JSON buffer");
  dom::object object;
  if (document->get_object().get(object) != simdjson::SUCCESS) {
    return invalid_argument("failed to parse the request JSON buffer: expected an object with 'inputs'");
  }
  BinaryPart binary(body, header_length);
  MM_RETURN_IF_ERROR(read_document(object, apart.empty() ? nullptr : &apart, binary, request, outputs, shared, open));
  request.outputs = outputs.requested;
  return ok_status();
}

Status parse_http_raw(const Bytes& body, std::string_view model, const Signature& signature, bool has_batch_dimension,
                      InferRequest& request) {
  if (signature.inputs.size() != 1) {
    return invalid_argument("Raw request must only have 1 input (found 1) to be deduced but got " +
                            std::to_string(signature.inputs.size()) + " inputs in '" + std::string(model) +
                            "' model configuration");
  }
  const TensorSpec& spec = signature.inputs[0];
  Tensor& tensor = request.inputs.emplace_back();
  tensor.name = spec.name;
  tensor.dtype = spec.dtype;
  tensor.shape = spec.shape;
  if (has_batch_dimension && !tensor.shape.empty() && tensor.shape[0] < 0) tensor.shape[0] = 1;
  int64_t* open = nullptr;
  int64_t known = 1;
  for (int64_t& size : tensor.shape) {
    if (size >= 0) {
      known *= size;
    } else if (open != nullptr) {
      return invalid_argument("The shape of the raw input '" + spec.name +
                              "' can not be deduced because there are more than one variable-sized dimension");
    } else {
      open = &size;
    }
  }
  if (spec.dtype != DataType::kBytes) {
    const int64_t step = known * static_cast<int64_t>(dtype_size(spec.dtype));
    if (open != nullptr) *open = step > 0 ? static_cast<int64_t>(body.size()) / step : 0;
    tensor.data.push_back(body);
    return ok_status();
  }
  if (open != nullptr || known != 1) {
    return invalid_argument("For BYTE datatype raw input '" + spec.name + "', the model must have input shape [1]");
  }
  if (body.size() > std::numeric_limits<uint32_t>::max()) {
    return invalid_argument("the raw input '" + spec.name + "' passes 4 GiB, the limit of one BYTES element");
  }
  const auto length = static_cast<uint32_t>(body.size());
  tensor.data.push_back(Bytes::copy_of({reinterpret_cast<const char*>(&length), sizeof length}));
  tensor.data.push_back(body);
  return ok_status();
}

}  // namespace modelmill::kserve_v2
