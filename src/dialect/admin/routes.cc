#include "dialect/admin/routes.h"

#include <utility>

#include "base/client_network.h"
#include "base/json_text.h"
#include "dialect/admin/answers.h"
#include "dialect/admin/route_shadows.h"
#include "dialect/http_router.h"
#include "dialect/method_check.h"

namespace modelmill::admin {
namespace {

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

/// A route with its last change, and how its shadows do.
void write_state(JsonWriter& json, const RouteHistory& history, const Routes* in_force) {
  json.begin_object().field("name", history.name);
  write_route(json, history.route());
  write_shadows_of(json, in_force, history.name, /*examples=*/false);
  json.key("changed").begin_object();
  write_change(json, history.changes.back());
  json.end_object().end_object();
}

wire::HttpReply state_reply(const Result<RouteHistory>& history, const Routes* in_force) {
  if (!history.ok()) return error_reply(history.status());
  JsonWriter json;
  write_state(json, *history, in_force);
  return json_reply(200, json.take());
}

wire::HttpReply list_reply(const RouteAccess& routes) {
  JsonWriter json;
  json.begin_object().key("routes").begin_array();
  for (const RouteHistory& route : routes.control.list()) write_state(json, route, routes.in_force);
  json.end_array().end_object();
  return json_reply(200, json.take());
}

wire::HttpReply history_reply(const Result<RouteHistory>& history) {
  if (!history.ok()) return error_reply(history.status());
  JsonWriter json;
  json.begin_object().field("name", history->name).key("history").begin_array();
  for (auto change = history->changes.rbegin(); change != history->changes.rend(); ++change) {
    json.begin_object();
    write_change(json, *change);
    write_route(json, change->route);
    json.end_object();
  }
  json.end_array().end_object();
  return json_reply(200, json.take());
}

/// NOT_FOUND also of one that was deleted.
Result<RouteHistory> present(const RouteControl& control, const std::string& name) {
  auto history = control.history(name);
  if (history.ok() && !history->route())
    history = not_found("route '" + name + "' was deleted; POST /admin/routes/" + name + "/undo brings it back");
  return history;
}

wire::HttpReply shadow_reply(const RouteAccess& routes, const std::string& name) {
  if (const auto history = present(routes.control, name); !history.ok()) return error_reply(history.status());
  JsonWriter json;
  json.begin_object().field("name", name);
  write_shadows_of(json, routes.in_force, name, /*examples=*/true);
  return json_reply(200, json.end_object().take());
}

wire::HttpReply set_reply(const RouteAccess& routes, const std::string& name, std::string_view body,
                          const std::string& by) {
  auto route = parse_route(body, name);
  return route.ok() ? state_reply(routes.control.set(*std::move(route), by), routes.in_force)
                    : error_reply(route.status());
}

Answer answer_to(RouteAccess routes, const wire::HttpRequest& request, std::span<const std::string> path) {
  const std::string& method = request.method;
  const std::string by(peer_address(request.peer));
  const auto refused = [](const char* allowed) { return [allowed] { return wrong_method(allowed); }; };
  if (path.empty()) {
    if (method != "GET") return refused("GET");
    return [routes] { return list_reply(routes); };
  }
  const std::string& name = path[0];
  if (path.size() == 1) {
    if (method == "GET") return [routes, name] { return state_reply(present(routes.control, name), routes.in_force); };
    if (method == "PUT")
      return [routes, name, by, body = request.body] { return set_reply(routes, name, body.view(), by); };
    if (method == "DELETE")
      return [routes, name, by] { return state_reply(routes.control.remove(name, by), routes.in_force); };
    return refused("GET, PUT, DELETE");
  }
  if (path.size() == 2 && path[1] == "history") {
    if (method != "GET") return refused("GET");
    return [routes, name] { return history_reply(routes.control.history(name)); };
  }
  if (path.size() == 2 && path[1] == "shadow") {
    if (method != "GET") return refused("GET");
    return [routes, name] { return shadow_reply(routes, name); };
  }
  if (path.size() == 2 && path[1] == "undo") {
    if (method != "POST") return refused("POST");
    return [routes, name, by] { return state_reply(routes.control.undo(name, by), routes.in_force); };
  }
  return [path = request.path] {
    return error_reply(not_found("no such path: '" + path +
                                 "'; it is /admin/routes, /admin/routes/NAME, /admin/routes/NAME/history, "
                                 "/admin/routes/NAME/shadow or /admin/routes/NAME/undo"));
  };
}

}  // namespace

void handle_routes(RouteAccess routes, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                   std::span<const std::string> path) {
  reply_apart(offload, exchange, answer_to(routes, exchange->request(), path));
}

}  // namespace modelmill::admin
