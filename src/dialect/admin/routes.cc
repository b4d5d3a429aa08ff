#include "dialect/admin/routes.h"

#include <functional>
#include <utility>

#include "base/client_network.h"
#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/large_work.h"

namespace modelmill::admin {
namespace {

using Answer = std::function<wire::HttpReply()>;

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

/// A route with its last change.
void write_state(JsonWriter& json, const RouteHistory& history) {
  json.begin_object().field("name", history.name);
  write_route(json, history.route());
  json.key("changed").begin_object();
  write_change(json, history.changes.back());
  json.end_object().end_object();
}

wire::HttpReply state_reply(const Result<RouteHistory>& history) {
  if (!history.ok()) return error_reply(history.status());
  JsonWriter json;
  write_state(json, *history);
  return json_reply(200, json.take());
}

wire::HttpReply list_reply(const std::vector<RouteHistory>& routes) {
  JsonWriter json;
  json.begin_object().key("routes").begin_array();
  for (const RouteHistory& route : routes) write_state(json, route);
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

wire::HttpReply route_reply(const RouteControl& control, const std::string& name) {
  auto history = control.history(name);
  if (history.ok() && !history->route())
    history = not_found("route '" + name + "' was deleted; POST /admin/routes/" + name + "/undo brings it back");
  return state_reply(history);
}

wire::HttpReply set_reply(RouteControl& control, const std::string& name, std::string_view body,
                          const std::string& by) {
  auto route = parse_route(body, name);
  return route.ok() ? state_reply(control.set(*std::move(route), by)) : error_reply(route.status());
}

wire::HttpReply wrong_method(const char* allowed) {
  wire::HttpReply reply = json_reply(405, R"({"error":"Method Not Allowed"})");
  reply.headers.emplace_back("Allow", allowed);
  return reply;
}

/// What answers a request; it may block.
Answer answer_to(RouteControl& control, const wire::HttpRequest& request, std::span<const std::string> path) {
  const std::string& method = request.method;
  const std::string by(peer_address(request.peer));
  const auto refused = [](const char* allowed) { return [allowed] { return wrong_method(allowed); }; };
  if (path.empty()) {
    if (method != "GET") return refused("GET");
    return [&control] { return list_reply(control.list()); };
  }
  const std::string& name = path[0];
  if (path.size() == 1) {
    if (method == "GET") return [&control, name] { return route_reply(control, name); };
    if (method == "PUT")
      return [&control, name, by, body = request.body] { return set_reply(control, name, body.view(), by); };
    if (method == "DELETE") return [&control, name, by] { return state_reply(control.remove(name, by)); };
    return refused("GET, PUT, DELETE");
  }
  if (path.size() == 2 && path[1] == "history") {
    if (method != "GET") return refused("GET");
    return [&control, name] { return history_reply(control.history(name)); };
  }
  if (path.size() == 2 && path[1] == "undo") {
    if (method != "POST") return refused("POST");
    return [&control, name, by] { return state_reply(control.undo(name, by)); };
  }
  return [path = request.path] {
    return error_reply(not_found("no such path: '" + path +
                                 "'; it is /admin/routes, /admin/routes/NAME, /admin/routes/NAME/history or "
                                 "/admin/routes/NAME/undo"));
  };
}

}  // namespace

void handle_routes(RouteControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                   std::span<const std::string> path) {
  Answer answer = answer_to(control, exchange->request(), path);
  if (offload == nullptr) return exchange->reply(answer());
  const Status status = run_large(*offload, [exchange, answer = std::move(answer)] {
    exchange->loop().post([exchange, reply = answer()]() mutable { exchange->reply(std::move(reply)); });
  });
  if (!status.ok()) exchange->reply(error_reply(status));
}

}  // namespace modelmill::admin
