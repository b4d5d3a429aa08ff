#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/json_output.h"
#include "dialect/kserve_v2/http_infer_codec.h"

namespace modelmill::kserve_v2 {
namespace {

/// Unless there are none, and they needn't be there (`always`).
void write_parameters(JsonWriter& json, const Parameters& parameters, const OpenAnswer::Members& more,
                      bool always = false) {
  if (parameters.empty() && more.empty() && !always) return;
  json.key("parameters").begin_object();
  for (const auto& [name, value] : parameters) {
    json.key(name);
    std::visit([&](const auto& v) { json.value(v); }, value);
  }
  for (const auto& [name, value] : more) json.key(name).raw(value);
  json.end_object();
}

/// The reply's body: JSON, in pieces so that a large tensor's text stays where it was written, and binary data.
struct Body {
  JsonWriter json;
  Chunks text;  // before what is in `json`
  Chunks data;

  /// Continues the JSON with a value that is already text.
  void add_value(std::string value) {
    constexpr size_t kOwnPiece = 16 * 1024;
    if (value.size() < kOwnPiece) {
      json.raw(value);
      return;
    }
    json.raw("");
    text.push_back(Bytes::from_string(json.take()));
    text.push_back(Bytes::from_string(std::move(value)));
  }
  Chunks take_text() {
    text.push_back(Bytes::from_string(json.take()));
    return std::move(text);
  }
};

Status write_output(Body& body, const Tensor& tensor, HttpForm form, const OpenAnswer::Members* open) {
  JsonWriter& json = body.json;
  json.begin_object().field("name", tensor.name).field("datatype", dtype_name(tensor.dtype));
  json.key("shape").begin_array();
  for (const int64_t size : tensor.shape) json.value(size);
  json.end_array();
  Parameters own;
  if (form == HttpForm::kBinary) own.set("binary_data_size", uint64_t{tensor.byte_size()});
  write_parameters(json, own, open != nullptr ? *open : OpenAnswer::Members());
  if (form == HttpForm::kBinary) {
    for (const Bytes& chunk : tensor.data) {
      if (!chunk.empty()) body.data.push_back(chunk);
    }
  } else if (form == HttpForm::kJson) {
    if (open == nullptr && (tensor.dtype == DataType::kFp16 || tensor.dtype == DataType::kBf16)) {
      return invalid_argument("sending " + std::string(dtype_name(tensor.dtype)) +
                              " data via JSON is not supported. Please use the binary data format for output '" +
                              tensor.name + "'");
    }
    std::string elements;
    MM_RETURN_IF_ERROR(append_json_elements(elements, tensor, /*nested=*/false));
    json.key("data");
    body.add_value(std::move(elements));
  }
  json.end_object();
  return ok_status();
}

}  // namespace

wire::HttpReply write_http_infer(const InferResponse& response, std::string_view model, int64_t version,
                                 std::string_view id, const HttpOutputs& outputs, const OpenAnswer* open) {
  static const OpenAnswer kNothing;
  const OpenAnswer& more = open != nullptr ? *open : kNothing;
  Body body;
  JsonWriter& json = body.json;
  json.begin_object();
  if (!id.empty()) json.field("id", id);
  json.field("model_name", model);
  json.field("model_version", more.version.empty() ? std::to_string(version) : more.version);
  write_parameters(json, response.parameters, more.parameters, open != nullptr);  // as MLServer has them
  json.key("outputs").begin_array();
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    const Tensor& tensor = response.outputs[i];
    const auto* const beside = i < more.outputs.size() ? &more.outputs[i]
                               : open != nullptr       ? &kNothing.parameters
                                                       : nullptr;
    if (const Status status = write_output(body, tensor, outputs.form(tensor.name), beside); !status.ok()) {
      return error_reply(status);
    }
  }
  json.end_array().end_object();
  wire::HttpReply reply;
  reply.body = body.take_text();
  if (body.data.empty()) {
    reply.headers.emplace_back("Content-Type", "application/json");
  } else {
    size_t length = 0;
    for (const Bytes& piece : reply.body) length += piece.size();
    reply.headers.emplace_back("Content-Type", "application/octet-stream");
    reply.headers.emplace_back("Inference-Header-Content-Length", std::to_string(length));
  }
  for (Bytes& chunk : body.data) reply.body.push_back(std::move(chunk));
  return reply;
}

}  // namespace modelmill::kserve_v2
