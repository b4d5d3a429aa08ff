#include "dialect/admin/experiments.h"

#include <functional>
#include <utility>

#include "base/client_network.h"
#include "dialect/http_router.h"
#include "dialect/large_work.h"

namespace modelmill::admin {
namespace {

using Answer = std::function<wire::HttpReply()>;

wire::HttpReply reply_of(Result<std::string> json) {
  return json.ok() ? json_reply(200, *std::move(json)) : error_reply(json.status());
}

wire::HttpReply wrong_method(const char* allowed) {
  wire::HttpReply reply = json_reply(405, R"({"error":"Method Not Allowed"})");
  reply.headers.emplace_back("Allow", allowed);
  return reply;
}

/// What answers a request; it may block.
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
  Answer answer = answer_to(control, exchange->request(), path);
  if (offload == nullptr) return exchange->reply(answer());
  const Status status = run_large(*offload, [exchange, answer = std::move(answer)] {
    exchange->loop().post([exchange, reply = answer()]() mutable { exchange->reply(std::move(reply)); });
  });
  if (!status.ok()) exchange->reply(error_reply(status));
}

}  // namespace modelmill::admin
