#include "dialect/kserve_v2/open_answer.h"

#include <simdjson.h>

#include <algorithm>

#include "dialect/json_input.h"
#include "dialect/kserve_v2/json_parameter.h"

namespace modelmill::kserve_v2 {
namespace {

namespace dom = simdjson::dom;

OpenAnswer::Members members_of(dom::object object) {
  OpenAnswer::Members out;
  for (const auto& [name, value] : object) out.emplace_back(name, simdjson::minify(value));
  return out;
}

OpenAnswer::Members members_at(dom::object object, std::string_view key) {
  dom::object inner;
  return object.at_key(key).get_object().get(inner) == simdjson::SUCCESS ? members_of(inner) : OpenAnswer::Members();
}

std::string text_at(dom::object object, std::string_view key) {
  std::string_view text;
  return object.at_key(key).get_string().get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

/// A header that can be sent as it is.
bool is_header(std::string_view name, std::string_view value) {
  const auto odd = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  return !name.empty() && name.find_first_of(" :\t\r\n") == std::string_view::npos &&
         std::none_of(value.begin(), value.end(), odd);
}

/// Those that the wire writes itself.
bool is_of_the_wire(std::string_view name) {
  return name.starts_with("grpc-") || name == "te" || name == "content-length" || name == "transfer-encoding" ||
         name == "connection" || name == "content-type";
}

void read_headers(dom::object object, OpenAnswer& out) {
  dom::object headers;
  if (object.at_key("headers").get_object().get(headers) != simdjson::SUCCESS) return;
  for (const auto& [name, value] : headers) {
    std::string_view text;
    std::string small(name);
    std::transform(small.begin(), small.end(), small.begin(),
                   [](unsigned char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    if (value.get_string().get(text) != simdjson::SUCCESS || !is_header(small, text) || is_of_the_wire(small)) continue;
    out.headers.emplace_back(std::move(small), text);
  }
}

}  // namespace

std::optional<OpenAnswer> OpenAnswer::take(InferResponse& response) {
  const ParameterValue* const found = response.parameters.find(kOpenAnswer);
  const auto* const text = found != nullptr ? std::get_if<std::string>(found) : nullptr;
  if (text == nullptr) return std::nullopt;
  OpenAnswer out;
  {
    const ThreadJsonParser parser;
    const auto document = parse_json(*parser, *text, text->size());
    dom::object object;
    if (document.ok() && document->get_object().get(object) == simdjson::SUCCESS) {
      out.id = text_at(object, "id");
      out.version = text_at(object, "version");
      out.parameters = members_at(object, "parameters");
      dom::array outputs;
      if (object.at_key("outputs").get_array().get(outputs) == simdjson::SUCCESS)
        for (const dom::element output : outputs) {
          dom::object inner;
          const bool is = output.get_object().get(inner) == simdjson::SUCCESS;
          out.outputs.push_back(is ? members_of(inner) : Members());
        }
      read_headers(object, out);
      int64_t status = 0;
      if (object.at_key("status").get_int64().get(status) == simdjson::SUCCESS && status >= 400 && status < 600)
        out.status = static_cast<int>(status);
    }
  }
  response.parameters = {};
  return out;
}

void OpenAnswer::mark(wire::HttpReply& reply, bool failed) const {
  if (failed && status != 0) reply.status = status;
  reply.headers.insert(reply.headers.end(), headers.begin(), headers.end());
}

Parameters plain_parameters(const OpenAnswer::Members& members) {
  Parameters out;
  for (const auto& [name, json] : members) {
    const ThreadJsonParser parser;
    const auto value = parse_json(*parser, json, json.size());
    if (!value.ok() || value->is_null()) continue;
    std::optional<ParameterValue> plain = json_parameter(*value);
    out.set(name, plain ? *std::move(plain) : ParameterValue(json));
  }
  return out;
}

}  // namespace modelmill::kserve_v2
