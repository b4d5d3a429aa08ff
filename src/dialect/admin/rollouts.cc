#include "dialect/admin/rollouts.h"

#include <optional>
#include <utility>

#include "base/client_network.h"
#include "dialect/admin/answers.h"
#include "dialect/http_router.h"
#include "dialect/method_check.h"

namespace modelmill::admin {
namespace {

std::optional<RolloutAction> action_named(std::string_view name) {
  if (name == "pause") return RolloutAction::kPause;
  if (name == "resume") return RolloutAction::kResume;
  if (name == "abort") return RolloutAction::kAbort;
  if (name == "promote") return RolloutAction::kPromote;
  return std::nullopt;
}

Answer answer_to(RolloutControl& control, const wire::HttpRequest& request, std::span<const std::string> path) {
  const std::string& method = request.method;
  const std::string by(peer_address(request.peer));
  const auto refused = [](const char* allowed) { return [allowed] { return wrong_method(allowed); }; };
  if (path.empty()) {
    if (method != "GET") return refused("GET");
    return [&control] { return reply_of(control.list()); };
  }
  const std::string& name = path[0];
  if (path.size() == 1) {
    if (method == "GET") return [&control, name] { return reply_of(control.show(name)); };
    if (method != "POST") return refused("GET, POST");
    return [&control, name, by, body = request.body] { return reply_of(control.start(name, body.view(), by)); };
  }
  if (path.size() == 2 && path[1] == "history") {
    if (method != "GET") return refused("GET");
    return [&control, name] { return reply_of(control.history(name)); };
  }
  const auto action = path.size() == 2 ? action_named(path[1]) : std::nullopt;
  if (action) {
    if (method != "POST") return refused("POST");
    return [&control, name, by, action] { return reply_of(control.act(name, *action, by)); };
  }
  return [path = request.path] {
    return error_reply(not_found("no such path: '" + path +
                                 "'; it is /admin/rollouts, /admin/rollouts/NAME, or /admin/rollouts/NAME/ with "
                                 "history, pause, resume, abort or promote"));
  };
}

}  // namespace

void handle_rollouts(RolloutControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                     std::span<const std::string> path) {
  reply_apart(offload, exchange, answer_to(control, exchange->request(), path));
}

}  // namespace modelmill::admin
