#include "dialect/admin/experiments.h"

#include <utility>

#include "base/client_network.h"
#include "dialect/admin/answers.h"
#include "dialect/http_router.h"
#include "dialect/method_check.h"

namespace modelmill::admin {
namespace {

Answer answer_to(ExperimentControl& control, const wire::HttpRequest& request, std::span<const std::string> path) {
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
  const std::string action = path.size() == 2 ? path[1] : std::string();
  const bool is_known = action == "outcomes" || action == "deploy" || action == "stop";
  if (is_known && method != "POST") return refused("POST");
  if (action == "outcomes")
    return [&control, name, body = request.body] { return reply_of(control.outcomes(name, body.view())); };
  if (action == "deploy")
    return [&control, name, by, body = request.body] { return reply_of(control.deploy(name, body.view(), by)); };
  if (action == "stop") return [&control, name, by] { return reply_of(control.stop(name, by)); };
  return [path = request.path] {
    return error_reply(not_found("no such path: '" + path +
                                 "'; it is /admin/experiments, /admin/experiments/NAME, or /admin/experiments/NAME/ "
                                 "with outcomes, deploy or stop"));
  };
}

}  // namespace

void handle_experiments(ExperimentControl& control, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                        std::span<const std::string> path) {
  reply_apart(offload, exchange, answer_to(control, exchange->request(), path));
}

}  // namespace modelmill::admin
