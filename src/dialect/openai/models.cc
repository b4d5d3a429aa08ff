#include "dialect/openai/models.h"

#include <chrono>
#include <string>

#include "dialect/http_router.h"
#include "dialect/openai/errors.h"

namespace modelmill::openai {
namespace {

/// In seconds since 1970: when the program was started.
const int64_t kCreated =
    std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();

bool can_be_asked(const ModelEntry& entry) { return !entry.versions.empty() || entry.on_demand; }

}  // namespace

void write_model_members(JsonWriter& json, std::string_view name) {
  json.field("id", name).field("object", "model").field("created", kCreated).field("owned_by", "modelmill");
}

void write_list_members(JsonWriter& json, const ModelTable& table) {
  json.field("object", "list").key("data").begin_array();
  for (const ModelEntry* entry : table.entries()) {
    if (!can_be_asked(*entry)) continue;
    json.begin_object();
    write_model_members(json, entry->name);
    json.end_object();
  }
  json.end_array();
}

wire::HttpReply list_models(const Catalog& catalog) {
  JsonWriter json;
  json.begin_object();
  write_list_members(json, *catalog.table());
  json.end_object();
  return json_reply(200, json.take());
}

wire::HttpReply describe_model(const Inference& inference, std::string_view name) {
  const auto table = inference.catalog().table();
  const ModelEntry* entry = table->find(name);
  if (!inference.find_route(name) && (entry == nullptr || !can_be_asked(*entry)))
    return failure_reply(not_found("The model '" + std::string(name) + "' does not exist"), "model");
  JsonWriter json;
  json.begin_object();
  write_model_members(json, name);
  json.end_object();
  return json_reply(200, json.take());
}

}  // namespace modelmill::openai
