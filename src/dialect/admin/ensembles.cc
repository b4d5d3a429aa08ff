#include "dialect/admin/ensembles.h"

#include <utility>

#include "base/client_network.h"
#include "dialect/admin/answers.h"
#include "dialect/http_router.h"
#include "dialect/method_check.h"

namespace modelmill::admin {
namespace {

Answer answer_to(WeightControl& control, const wire::HttpRequest& request, std::span<const std::string> path) {
  const std::string by(peer_address(request.peer));
  const auto refused = [](const char* allowed) { return [allowed] { return wrong_method(allowed); }; };
  if (path.size() < 2) {
    if (request.method != "GET") return refused("GET");
    if (path.empty()) return [&control] { return reply_of(control.list()); };
    return [&control, name = path[0]] { return reply_of(control.show(name)); };
  }
  const std::string& name = path[0];
  const std::string action = path.size() == 2 ? path[1] : std::string();
  const bool is_known =
      action == "feedback" || action == "weights" || action == "freeze" || action == "unfreeze" || action == "reset";
  if (!is_known)
    return [path = request.path] {
      return error_reply(not_found("no such path: '" + path +
                                   "'; it is /admin/ensembles, /admin/ensembles/NAME, or /admin/ensembles/NAME/ with "
                                   "feedback, weights, freeze, unfreeze or reset"));
    };
  if (request.method != "POST") return refused("POST");
  if (action == "feedback")
    return [&control, name, body = request.body] { return reply_of(control.feedback(name, body.view())); };
  if (action == "weights")
    return [&control, name, by, body = request.body] { return reply_of(control.set(name, body.view(), by)); };
  if (action == "reset") return [&control, name, by] { return reply_of(control.reset(name, by)); };
  return [&control, name, by, frozen = action == "freeze"] { return reply_of(control.freeze(name, frozen, by)); };
}

}  // namespace

void handle_ensembles(WeightControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                      std::span<const std::string> path) {
  reply_apart(offload, exchange, answer_to(control, exchange->request(), path));
}

}  // namespace modelmill::admin
