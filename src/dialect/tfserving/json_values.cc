#include "dialect/tfserving/json_values.h"

#include <optional>

#include "dialect/json_input.h"
#include "dialect/tfserving/model_target.h"
#include "wire/grpc_encoding.h"

namespace modelmill::tfserving {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kBase64 = "b64";
constexpr size_t kMostShown = 256;

}  // namespace

std::string shown_value(dom::element value) {
  std::string text = simdjson::minify(value);
  if (text.size() > kMostShown) text = text.substr(0, kMostShown) + "...";
  return "JSON Value: " + text;
}

Result<dom::object> read_json_body(dom::parser& parser, const Bytes& body, const NumberArrays* apart) {
  const auto document = apart == nullptr ? parse_json(parser, body.view(), readable_from(body))
                                         : parse_json(parser, apart->rest(), apart->rest().capacity());
  if (!document.ok()) return document.status().with_context("JSON Parse error");
  dom::object object;
  if (document->get_object().get(object) != simdjson::SUCCESS)
    return invalid_argument(shown_value(*document) + " Is not object");
  return object;
}

Result<const ModelVersion*> json_signature(dom::object body, const ModelVersion& version) {
  dom::element value;
  if (body["signature_name"].get(value) != simdjson::SUCCESS) return &version;
  std::string_view name;
  if (value.get_string().get(name) != simdjson::SUCCESS)
    return invalid_argument(shown_value(value) +
                            " not formatted correctly. 'signature_name' key must be a string value.");
  if (const ModelVersion* const entry = find_signature(version, name)) return entry;
  return invalid_argument("Serving signature name: \"" + std::string(name) + "\" not found in signature def");
}

bool is_base64_object(dom::element value) {
  dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS || object.size() != 1) return false;
  return (*object.begin()).key == kBase64 && (*object.begin()).value.is_string();
}

Result<std::string> base64_object_bytes(dom::element value) {
  if (!is_base64_object(value))
    return invalid_argument(shown_value(value) + " not formatted correctly for base64 data");
  std::optional<std::string> bytes =
      wire::base64_decode(value.get_object().value_unsafe()[kBase64].get_string().value_unsafe());
  if (!bytes) return invalid_argument("Unable to base64 decode");
  return *std::move(bytes);
}

void append_base64_object(std::string& out, std::string_view bytes) {
  const std::string text = wire::base64_encode(bytes);
  out.append("{\"b64\":\"").append(text).append((4 - text.size() % 4) % 4, '=').append("\"}");
}

}  // namespace modelmill::tfserving
