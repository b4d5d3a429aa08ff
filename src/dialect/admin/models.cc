#include "dialect/admin/models.h"

#include <utility>

#include "base/json_text.h"
#include "dialect/admin/answers.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/method_check.h"
#include "wire/loop.h"

namespace modelmill::admin {
namespace {

wire::HttpReply model_reply(const Catalog& catalog, const std::string& model) {
  const auto table = catalog.table();
  const ModelEntry* entry = table->find(model);
  if (entry == nullptr) return error_reply(not_found("there is no model named '" + model + "'"));
  const auto* served = entry->find(0);
  JsonWriter json;
  json.begin_object().field("model", model);
  json.field("default_version", served == nullptr ? int64_t{0} : (*served)->version());
  json.key("versions").begin_array();
  for (const auto& version : entry->versions) json.value(version->version());
  json.end_array().key("labels").begin_object();
  for (const auto& [label, version] : entry->labels) json.field(label, version);
  json.end_object().end_object();
  return json_reply(200, json.take());
}

/// The body of a PUT.
Status read_assignment(const wire::HttpRequest& request, VersionAssignment& into) {
  const ThreadJsonParser parser;
  const std::string text(request.body.view());
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

}  // namespace

void handle_models(const Catalog& catalog, ModelControl& control, std::shared_ptr<wire::HttpExchange> exchange,
                   std::span<const std::string> path) {
  const wire::HttpRequest& request = exchange->request();
  const bool is_model = path.size() >= 2 && path[0] == "models";
  const bool is_label = is_model && path.size() == 4 && path[2] == "labels";
  const bool is_default = is_model && path.size() == 3 && path[2] == "default";
  if (is_model && path.size() == 2)
    return exchange->reply(request.method == "GET" ? model_reply(catalog, path[1]) : wrong_method("GET"));
  if (!is_label && !is_default)
    return exchange->reply(error_reply(not_found("no such path: '" + std::string(request.path) +
                                                 "'; it is /admin/models/MODEL, /admin/models/MODEL/labels/LABEL, "
                                                 "/admin/models/MODEL/default, /admin/routes or /admin/rollouts")));
  if (request.method != "PUT" && request.method != "DELETE") return exchange->reply(wrong_method("PUT, DELETE"));
  VersionAssignment assignment{path[1], is_label ? path[3] : std::string(), {}, false};
  if (request.method == "PUT")
    if (const Status status = read_assignment(request, assignment); !status.ok())
      return exchange->reply(error_reply(status));
  control.assign(std::move(assignment), [&catalog, exchange, model = path[1]](const Status& done) {
    exchange->loop().post([&catalog, exchange, model, done] {
      exchange->reply(done.ok() ? model_reply(catalog, model) : error_reply(done));
    });
  });
}

}  // namespace modelmill::admin
