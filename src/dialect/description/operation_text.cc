#include "dialect/description/operation_text.h"

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace modelmill::description {
namespace {

std::span<const std::string_view> media_types(Content content) {
  static constexpr std::string_view kJson[] = {"application/json"}, kText[] = {"text/plain"},
                                    kHtml[] = {"text/html", "text/plain"}, kEvents[] = {"text/event-stream"},
                                    kBinary[] = {"application/json", "application/octet-stream"},
                                    kTensors[] = {"application/json", "text/csv", "application/x-npy"},
                                    kAny[] = {"*/*"};
  switch (content) {
    case Content::kNone: return {};
    case Content::kJson: return kJson;
    case Content::kText: return kText;
    case Content::kHtml: return kHtml;
    case Content::kEvents: return kEvents;
    case Content::kBinary: return kBinary;
    case Content::kTensors: return kTensors;
    case Content::kAny: return kAny;
  }
  return {};
}

void write_reference(JsonWriter& json, std::string_view schema) {
  json.key("schema").begin_object();
  json.field("$ref", "#/components/schemas/" + std::string(schema)).end_object();
}

/// The names in braces.
std::vector<std::string_view> parameters_of(std::string_view path) {
  std::vector<std::string_view> names;
  for (size_t at = path.find('{'); at != std::string_view::npos; at = path.find('{', at + 1))
    names.push_back(path.substr(at + 1, path.find('}', at) - at - 1));
  return names;
}

/// One that is the same for all clients of the API: "getV2ModelsModelStats".
std::string operation_id(std::string_view method, std::string_view path) {
  std::string id(method);
  bool is_start = true;
  for (const char c : path) {
    const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (is_letter || (c >= '0' && c <= '9')) id += is_letter && is_start && c >= 'a' ? static_cast<char>(c - 32) : c;
    is_start = !is_letter && !(c >= '0' && c <= '9');
  }
  return id;
}

}  // namespace

void write_content(JsonWriter& json, Content content, std::string_view schema, const std::string& example) {
  if (content == Content::kNone) return;
  json.key("content").begin_object();
  for (const std::string_view type : media_types(content)) {
    json.key(type).begin_object();
    if (!schema.empty() && type == "application/json") write_reference(json, schema);
    if (!example.empty() && type == "application/json") json.key("example").raw(example);
    json.end_object();
  }
  json.end_object();
}

void write_error_replies(JsonWriter& json, std::string_view schema) {
  for (const auto& [statuses, description] :
       {std::pair("4XX", "The request is refused"), std::pair("5XX", "It failed")}) {
    json.key(statuses).begin_object().field("description", description);
    write_content(json, Content::kJson, schema);
    json.end_object();
  }
}

void write_operation(JsonWriter& json, const Operation& operation, std::string_view path, const std::string& example) {
  json.key(operation.method).begin_object();
  json.field("operationId", operation_id(operation.method, path)).field("summary", operation.summary);
  json.key("tags").begin_array().value(operation.tag).end_array();
  const auto names = parameters_of(path);
  if (!names.empty()) json.key("parameters").begin_array();
  for (const std::string_view name : names) {
    json.begin_object().field("name", name).field("in", "path").field("required", true);
    json.key("schema").begin_object().field("type", "string").end_object().end_object();
  }
  if (!names.empty()) json.end_array();
  if (operation.body != Content::kNone) {
    json.key("requestBody").begin_object();
    if (!operation.body_schema.empty()) json.field("required", true);
    write_content(json, operation.body, operation.body_schema, example);
    json.end_object();
  }
  json.key("responses").begin_object().key("200").begin_object().field("description", "Done");
  write_content(json, operation.reply, operation.reply_schema);
  json.end_object();
  if (operation.may_be_later) {
    json.key("202").begin_object().field("description", "It will be done");
    write_content(json, operation.reply, operation.reply_schema);
    json.end_object();
  }
  write_error_replies(json, error_schema(operation));
  json.end_object().end_object();
}

}  // namespace modelmill::description
