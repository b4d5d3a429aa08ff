#include "dialect/admin/routes.h"

#include <algorithm>
#include <utility>

#include "base/json_text.h"
#include "dialect/admin/route_shadows.h"

namespace modelmill::admin {
namespace {

using enum wire::ApiGroup;

void write_route(JsonWriter& json, const std::optional<RouteDefinition>& route) {
  json.key("route");
  if (route)
    json.raw(route_json(*route));
  else
    json.null();
}

void write_change(JsonWriter& json, const RouteChange& change) {
  json.field("number", change.number).field("at", change.at).field("what", change.what).field("by", change.by);
}

/// The shadows that are in force, if there are any.
void write_shadows_of(JsonWriter& json, const Routes* in_force, const std::string& name, bool examples) {
  const auto route = in_force == nullptr ? nullptr : in_force->find(name);
  if (route && (examples || !route->shadows().empty())) write_shadows(json.key("shadow"), *route, examples);
}

/// What a file wants of the route, and whether that is so.
void write_wish(JsonWriter& json, const RouteHistory& history) {
  if (!history.declared) return;
  const auto declaration = std::find_if(history.changes.rbegin(), history.changes.rend(),
                                        [](const RouteChange& change) { return change.what == "declare"; });
  json.key("wish").begin_object().field("state", history.route() == history.declared ? "in force" : "changed since");
  if (declaration != history.changes.rend()) json.field("place", declaration->by);
  write_route(json, history.declared);
  json.end_object();
}

/// A route with its last change, what a file wants of it, and how its shadows do.
void write_state(JsonWriter& json, const RouteHistory& history, const Routes* in_force) {
  json.begin_object().field("name", history.name);
  write_route(json, history.route());
  write_shadows_of(json, in_force, history.name, /*examples=*/false);
  json.key("changed").begin_object();
  write_change(json, history.changes.back());
  json.end_object();
  write_wish(json, history);
  json.end_object();
}

Result<std::string> state_json(const Result<RouteHistory>& history, const Routes* in_force) {
  if (!history.ok()) return history.status();
  JsonWriter json;
  write_state(json, *history, in_force);
  return json.take();
}

/// NOT_FOUND also of one that was deleted.
Result<RouteHistory> present(const RouteControl& control, const std::string& name) {
  auto history = control.history(name);
  if (history.ok() && !history->route())
    history = not_found("route '" + name + "' was deleted; POST /admin/routes/" + name + "/undo brings it back");
  return history;
}

Result<std::string> list(const Controls& controls, const ActionCall&) {
  JsonWriter json;
  json.begin_object().key("routes").begin_array();
  for (const RouteHistory& route : controls.routes.list()) write_state(json, route, controls.routes_in_force);
  json.end_array().end_object();
  return json.take();
}

Result<std::string> show(const Controls& controls, const ActionCall& call) {
  return state_json(present(controls.routes, call.names[0]), controls.routes_in_force);
}

Result<std::string> set(const Controls& controls, const ActionCall& call) {
  MM_ASSIGN_OR_RETURN(RouteDefinition route, parse_route(call.body.view(), call.names[0]));
  return state_json(controls.routes.set(std::move(route), call.by), controls.routes_in_force);
}

Result<std::string> remove(const Controls& controls, const ActionCall& call) {
  return state_json(controls.routes.remove(call.names[0], call.by), controls.routes_in_force);
}

Result<std::string> undo(const Controls& controls, const ActionCall& call) {
  return state_json(controls.routes.undo(call.names[0], call.by), controls.routes_in_force);
}

Result<std::string> history(const Controls& controls, const ActionCall& call) {
  MM_ASSIGN_OR_RETURN(const RouteHistory history, controls.routes.history(call.names[0]));
  JsonWriter json;
  json.begin_object().field("name", history.name).key("history").begin_array();
  for (auto change = history.changes.rbegin(); change != history.changes.rend(); ++change) {
    json.begin_object();
    write_change(json, *change);
    write_route(json, change->route);
    json.end_object();
  }
  json.end_array().end_object();
  return json.take();
}

Result<std::string> shadows(const Controls& controls, const ActionCall& call) {
  const std::string& name = call.names[0];
  MM_RETURN_IF_ERROR(present(controls.routes, name).status());
  JsonWriter json;
  json.begin_object().field("name", name);
  write_shadows_of(json, controls.routes_in_force, name, /*examples=*/true);
  return json.end_object().take();
}

constexpr Action kActions[] = {
    {"GET", "/admin/routes", kMetadata, list},
    {"GET", "/admin/routes/{route}", kMetadata, show},
    {"PUT", "/admin/routes/{route}", kManagement, set},
    {"DELETE", "/admin/routes/{route}", kManagement, remove},
    {"GET", "/admin/routes/{route}/history", kMetadata, history},
    {"POST", "/admin/routes/{route}/undo", kManagement, undo},
    // Worst answers of shadows have what users sent.
    {"GET", "/admin/routes/{route}/shadow", kManagement, shadows},
};

}  // namespace

std::span<const Action> route_actions() { return kActions; }

}  // namespace modelmill::admin
