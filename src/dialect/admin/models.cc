#include "dialect/admin/models.h"

#include <utility>

#include "base/json_text.h"
#include "dialect/json_input.h"

namespace modelmill::admin {
namespace {

using enum wire::ApiGroup;

Result<std::string> model_json(const Catalog& catalog, const std::string& model) {
  const auto table = catalog.table();
  const ModelEntry* entry = table->find(model);
  if (entry == nullptr) return not_found("there is no model named '" + model + "'");
  const auto* served = entry->find(0);
  JsonWriter json;
  json.begin_object().field("model", model);
  json.field("default_version", served == nullptr ? int64_t{0} : (*served)->version());
  json.key("versions").begin_array();
  for (const auto& version : entry->versions) json.value(version->version());
  json.end_array().key("labels").begin_object();
  for (const auto& [label, version] : entry->labels) json.field(label, version);
  json.end_object().end_object();
  return json.take();
}

/// The body of a PUT.
Status read_assignment(const Bytes& body, VersionAssignment& into) {
  const ThreadJsonParser parser;
  const std::string text(body.view());
  const auto document = parse_json(*parser, text, text.size());
  if (!document.ok()) return document.status();
  int64_t version = 0;
  if ((*document).at_key("version").get_int64().get(version) != simdjson::SUCCESS || version < 1)
    return invalid_argument("the body must be an object such as {\"version\": 3}");
  into.version = version;
  const auto ahead = (*document).at_key("ahead");
  if (ahead.error() == simdjson::SUCCESS && ahead.get_bool().get(into.ahead) != simdjson::SUCCESS)
    return invalid_argument("'ahead' must be true or false");
  return ok_status();
}

void show(const Controls& controls, const ActionCall& call, Action::Done done) {
  done(model_json(controls.catalog, call.names[0]));
}

/// Of a label where the path names one, else of the default version.
void assign(const Controls& controls, const ActionCall& call, bool takes_body, Action::Done done) {
  const std::string& model = call.names[0];
  VersionAssignment assignment{model, call.names.size() > 1 ? call.names[1] : std::string(), {}, false};
  if (takes_body)
    if (const Status status = read_assignment(call.body, assignment); !status.ok()) return done(status);
  controls.models.assign(std::move(assignment),
                         [&catalog = controls.catalog, model, done = std::move(done)](const Status& status) {
                           done(status.ok() ? model_json(catalog, model) : Result<std::string>(status));
                         });
}

void set(const Controls& controls, const ActionCall& call, Action::Done done) {
  assign(controls, call, /*takes_body=*/true, std::move(done));
}
void remove(const Controls& controls, const ActionCall& call, Action::Done done) {
  assign(controls, call, /*takes_body=*/false, std::move(done));
}

constexpr Action kActions[] = {
    {"GET", "/admin/models/{model}", kMetadata, nullptr, show},
    {"PUT", "/admin/models/{model}/labels/{label}", kManagement, nullptr, set},
    {"DELETE", "/admin/models/{model}/labels/{label}", kManagement, nullptr, remove},
    {"PUT", "/admin/models/{model}/default", kManagement, nullptr, set},
    {"DELETE", "/admin/models/{model}/default", kManagement, nullptr, remove},
};

}  // namespace

std::span<const Action> model_actions() { return kActions; }

}  // namespace modelmill::admin
