#include "dialect/torchserve/infer_codec.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/json_text.h"
#include "dialect/json_input.h"
#include "dialect/json_output.h"
#include "dialect/predict/request_codec.h"
#include "dialect/tfserving/json_predict.h"
#include "tensor/npy.h"
#include "wire/http_text.h"

namespace modelmill::torchserve {
namespace {

constexpr const char* kJson = "application/json";
/// Of an element of bytes, whose length has 32 bits.
constexpr size_t kMostBytes = UINT32_MAX;

const std::string* text_parameter(const InferResponse& response, std::string_view name) {
  const ParameterValue* value = response.parameters.find(name);
  return value == nullptr ? nullptr : std::get_if<std::string>(value);
}

/// What a handler says as a status; 0: nothing.
int status_parameter(const InferResponse& response) {
  const std::string* text = text_parameter(response, "status");
  int status = 0;
  if (text != nullptr) (void)std::from_chars(text->data(), text->data() + text->size(), status);
  return status >= 200 && status <= 599 ? status : 0;
}

std::string json_object(const NamedTexts& texts) {
  JsonWriter json;
  json.begin_object();
  for (const auto& [name, text] : texts) json.field(name, text);
  json.end_object();
  return json.take();
}

/// One element of bytes.
Tensor bytes_tensor(const TensorSpec& spec, std::string_view value) {
  Tensor tensor;
  tensor.name = spec.name;
  tensor.dtype = DataType::kBytes;
  for (const int64_t size : spec.shape) tensor.shape.push_back(size < 0 ? 1 : size);
  const auto length = static_cast<uint32_t>(value.size());
  MemoryRef memory = Memory::allocate(sizeof length + value.size());
  std::memcpy(memory->data(), &length, sizeof length);
  if (!value.empty()) std::memcpy(memory->data() + sizeof length, value.data(), value.size());
  tensor.data.emplace_back(std::move(memory));
  return tensor;
}

Status read_body(const Question& question, const ModelVersion& version, InferRequest& request) {
  std::string type(question.content_type);
  const Bytes body = question.fields.empty() ? question.body : write_form(question.fields, type);
  if (body.size() > kMostBytes) return invalid_argument("the body is larger than 4 GiB; send it in parts");
  request.inputs.push_back(bytes_tensor(version.signature().inputs[0], body.view()));
  if (!type.empty()) request.parameters.set("content_type", std::move(type));
  if (!question.query.empty()) request.parameters.set("query", json_object(question.query));
  request.parameters.set("headers", json_object(question.headers));
  if (question.explain) request.parameters.set("explain", true);
  return ok_status();
}

bool is_json(std::string_view content_type) { return content_type.starts_with(kJson); }

/// The body is an object whose first member is that of TensorFlow Serving's requests, and the model has no such input.
bool asks_for_predictions(std::string_view body, const Signature& signature) {
  const size_t open = body.find_first_not_of(" \t\r\n");
  if (open == std::string_view::npos || body[open] != '{') return false;
  const size_t quote = body.find_first_not_of(" \t\r\n", open + 1);
  if (quote == std::string_view::npos || body[quote] != '"') return false;
  const std::string_view rest = body.substr(quote + 1);
  for (const std::string_view name : {"instances", "inputs", "signature_name"})
    if (rest.starts_with(name) && rest.substr(name.size(), 1) == "\"") return signature.input(name) == nullptr;
  return false;
}

/// What can't be JSON, CSV or .npy for the one input of a model goes to it as it is.
bool is_plain_bytes(std::string_view content_type, std::string_view value, const TensorSpec& spec) {
  if (spec.dtype != DataType::kBytes || value.size() > kMostBytes || is_npy(value) || is_json(content_type))
    return false;
  const predict::Format format = predict::detect_format(content_type, value);
  return format != predict::Format::kJson && !content_type.starts_with("text/csv");
}

Status read_value(const Bytes& value, std::string_view content_type, const Signature& signature, InferRequest& request,
                  bool& added) {
  if (signature.inputs.size() == 1 && is_plain_bytes(content_type, value.view(), signature.inputs[0])) {
    request.inputs.push_back(bytes_tensor(signature.inputs[0], value.view()));
    added = true;
    return check_tensor_bytes(request.inputs.back());
  }
  return predict::parse_inputs(value, predict::detect_format(content_type, value.view()), signature, request, added);
}

/// Each field is an input; that of a model with one may have any name.
Status read_fields(const Fields& fields, const Signature& signature, InferRequest& request, bool& added_to_all) {
  if (fields.empty()) return invalid_argument("the request has no field");
  const bool any_name = signature.inputs.size() == 1 && fields.size() == 1;
  added_to_all = true;
  for (const Field& field : fields) {
    const TensorSpec* spec = any_name ? &signature.inputs[0] : signature.input(field.name);
    if (spec == nullptr)
      return invalid_argument("field '" + field.name + "' is no input of this model, which has " +
                              std::to_string(signature.inputs.size()) + "; GET /predict/MODEL says which");
    bool added = false;
    const Status status = read_value(field.value, field.content_type, {{*spec}, {}}, request, added);
    if (!status.ok()) return status.with_context("field '" + field.name + "'");
    added_to_all = added_to_all && added;
  }
  return ok_status();
}

/// Clients such as curl call whatever they send a form.
bool is_no_form(const Question& question) {
  const std::string_view body = question.body.view();
  if (!question.content_type.starts_with("application/x-www-form-urlencoded")) return false;
  return is_npy(body) || predict::detect_format({}, body) == predict::Format::kJson ||
         body.find('=') == std::string_view::npos;
}

Status read_tensors(const Question& question, const ModelVersion& version, InferRequest& request, AnswerForm& form) {
  const Signature& signature = version.signature();
  if (question.explain)
    return unimplemented("model '" + version.name() + "' explains nothing: only a handler of TorchServe's can");
  if (!question.fields.empty()) return read_fields(question.fields, signature, request, form.drop_dimension);
  if (is_form(question.content_type) && !is_no_form(question)) {
    MM_ASSIGN_OR_RETURN(const Fields fields, read_form(question.body, question.content_type));
    return read_fields(fields, signature, request, form.drop_dimension);
  }
  if (asks_for_predictions(question.body.view(), signature)) {
    MM_ASSIGN_OR_RETURN(const tfserving::JsonFormat format,
                        tfserving::read_json_predict(question.body, version, request));
    form.predictions = format;
    return ok_status();
  }
  const std::string_view type = is_form(question.content_type) ? std::string_view() : question.content_type;
  return read_value(question.body, type, signature, request, form.drop_dimension);
}

/// A header that a handler may set: not one that says where the reply ends, nor one that would end its line.
bool may_be_set(std::string_view name, std::string_view value) {
  const std::string lower = wire::lower_case(name);
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; };
  return !name.empty() && name.find_first_of(" :") == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), is_control) && std::none_of(value.begin(), value.end(), is_control) &&
         lower != "content-length" && lower != "transfer-encoding" && lower != "connection" && lower != "content-type";
}

Result<Answer> write_body(const InferResponse& response) {
  const bool is_one = response.outputs.size() == 1 && response.outputs[0].dtype == DataType::kBytes;
  const Bytes bytes = is_one ? response.outputs[0].contiguous() : Bytes();
  uint32_t length = 0;
  if (bytes.size() >= sizeof length) std::memcpy(&length, bytes.data(), sizeof length);
  if (bytes.size() != sizeof length + size_t{length})
    return internal("the handler's answer is not one output of one element of bytes");
  Answer answer;
  if (const int status = status_parameter(response); status != 0) answer.status = status;
  const std::string* type = text_parameter(response, "content_type");
  if (type != nullptr && may_be_set("of-a-type", *type)) answer.content_type = *type;
  if (length > 0) answer.body.push_back(bytes.slice(sizeof length, length));
  const std::string* headers = text_parameter(response, "headers");
  if (headers == nullptr) return answer;
  const ThreadJsonParser parser;
  MM_ASSIGN_OR_RETURN(const simdjson::dom::element document, parse_json(*parser, *headers, headers->size()));
  simdjson::dom::object object;
  if (document.get_object().get(object) != simdjson::SUCCESS) return answer;
  for (const auto& [name, value] : object) {
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS && may_be_set(name, text))
      answer.headers.emplace_back(name, text);
  }
  return answer;
}

Status append_output(std::string& out, const Tensor& tensor, bool drop_dimension) {
  if (!drop_dimension || tensor.shape.empty() || tensor.shape[0] != 1)
    return append_json_elements(out, tensor, /*nested=*/true);
  Tensor row = tensor;
  row.shape.erase(row.shape.begin());
  return append_json_elements(out, row, /*nested=*/true);
}

}  // namespace

bool takes_bodies(const ModelVersion& version) {
  const Signature& signature = version.signature();
  return version.definition().backend == "python" && signature.inputs.size() == 1 && signature.outputs.size() == 1 &&
         signature.inputs[0].name == "data" && signature.inputs[0].dtype == DataType::kBytes &&
         signature.outputs[0].name == "output" && signature.outputs[0].dtype == DataType::kBytes;
}

Status read_question(const Question& question, const ModelVersion& version, InferRequest& request, AnswerForm& form) {
  form = {};
  form.is_body = takes_bodies(version);
  return form.is_body ? read_body(question, version, request) : read_tensors(question, version, request, form);
}

std::optional<Failure> failure_in(const InferResponse& response, const AnswerForm& form) {
  const Status& status = response.status;
  if (status.ok()) {
    const std::string* error = text_parameter(response, "error");
    if (error == nullptr) return std::nullopt;
    const int said = status_parameter(response);
    return Failure{said != 0 ? said : 500, "InternalServerException", *error};
  }
  const bool ran = response.times.compute_start != TimePoint{};
  if (status.code() == Code::kResourceExhausted && ran)
    return Failure{507, "InternalServerException", status.message()};
  if (status.code() == Code::kInternal && form.is_body)
    return Failure{503, "InternalServerException", status.message()};
  return failure_of(status);
}

Result<Answer> write_answer(const InferResponse& response, const AnswerForm& form) {
  if (form.is_body) return write_body(response);
  Answer answer;
  answer.content_type = kJson;
  std::string text;
  if (form.predictions) {
    MM_ASSIGN_OR_RETURN(text, tfserving::write_json_predict(response, *form.predictions));
  } else if (response.outputs.size() == 1) {
    MM_RETURN_IF_ERROR(append_output(text, response.outputs[0], form.drop_dimension));
  } else {
    JsonWriter json;
    json.begin_object();
    for (const Tensor& tensor : response.outputs) {
      std::string elements;
      MM_RETURN_IF_ERROR(append_output(elements, tensor, form.drop_dimension));
      json.key(tensor.name).raw(elements);
    }
    json.end_object();
    text = json.take();
  }
  answer.body.push_back(Bytes::from_string(std::move(text)));
  return answer;
}

}  // namespace modelmill::torchserve
