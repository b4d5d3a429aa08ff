#include "server/root_reply.h"

#include "dialect/torchserve/answers.h"

namespace modelmill {

std::optional<description::RootReply> root_reply_of(const ServerConfig& config) {
  constexpr const char* kJson = "application/json";
  if (config.torchserve_metrics) {
    const torchserve::Failure failure = torchserve::failure_of(torchserve::method_not_allowed());
    return description::RootReply{failure.status, kJson, torchserve::failure_json(failure)};
  }
  if (config.server_name == ServerConfig().server_name) return std::nullopt;
  if (config.server_name == "mlserver") return description::RootReply{404, kJson, R"({"detail":"Not Found"})"};
  return description::RootReply{404, kJson, R"({"error":"Not Found"})"};
}

}  // namespace modelmill
