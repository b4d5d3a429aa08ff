#include "dialect/admin/control.h"

#include <string>
#include <utility>
#include <vector>

#include "base/client_network.h"
#include "dialect/method_check.h"
#include "wire/loop.h"

namespace modelmill::admin {
namespace {

/// What a request asks for.
struct Asked {
  const Action* action = nullptr;  // null: there is none
  std::vector<std::string> names;
  std::string allowed;  // the methods that its path takes; empty: there is no such path
};

Asked find(const std::string& method, std::span<const std::string> path) {
  Asked asked;
  for (const Action& action : actions()) {
    auto names = match(action, path);
    if (!names) continue;
    asked.allowed.append(asked.allowed.empty() ? "" : ", ").append(action.method);
    if (action.method != method) continue;
    asked.action = &action;
    asked.names = *std::move(names);
  }
  return asked;
}

/// The paths that begin as this one does, or how all begin.
Status no_such_path(const wire::HttpRequest& request, std::span<const std::string> path) {
  std::string known, begins;
  std::string_view last, last_begin;
  for (const Action& action : actions()) {
    const std::string_view begin = segments_of(action)[1];
    if (begin != std::exchange(last_begin, begin))
      begins.append(begins.empty() ? "/admin/" : ", /admin/").append(begin);
    const bool is_like = path.size() > 1 && path[1] == begin;
    if (action.path != std::exchange(last, action.path) && is_like)
      known.append(known.empty() ? "" : ", ").append(action.path);
  }
  return not_found("no such path: '" + request.path + "'; " +
                   (known.empty() ? "paths here begin with " + begins : "there are " + known));
}

void handle(const Controls& controls, const std::shared_ptr<wire::HttpExchange>& exchange) {
  const wire::HttpRequest& request = exchange->request();
  const auto path = split_path(request.path);
  if (!path.ok()) return exchange->reply(error_reply(path.status()));
  Asked asked = find(request.method, *path);
  if (asked.allowed.empty()) return exchange->reply(error_reply(no_such_path(request, *path)));
  if (asked.action == nullptr) return exchange->reply(wrong_method(asked.allowed));
  ActionCall call{std::move(asked.names), request.body, std::string(peer_address(request.peer))};
  begin_action(controls, *asked.action, std::move(call), [exchange](const Result<std::string>& json) {
    exchange->loop().post(
        [exchange, json] { exchange->reply(json.ok() ? json_reply(200, *json) : error_reply(json.status())); });
  });
}

wire::ApiGroup group_of(const wire::HttpRequest& request) {
  const auto path = split_path(request.path);
  const Asked asked = path.ok() ? find(request.method, *path) : Asked();
  if (asked.action != nullptr) return asked.action->group;
  return request.method == "GET" ? wire::ApiGroup::kMetadata : wire::ApiGroup::kManagement;
}

}  // namespace

void add_control(HttpRouter& router, Controls controls) {
  router.add(
      "admin", [controls](const std::shared_ptr<wire::HttpExchange>& exchange) { handle(controls, exchange); },
      group_of);
}

}  // namespace modelmill::admin
