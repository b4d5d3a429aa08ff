#include "server/access/redirect_gate.h"

#include <cstdint>
#include <vector>

#include "dialect/method_check.h"
#include "server/access/refusal_log.h"

namespace modelmill {
namespace {

constexpr const char* kHeader = "x-vertex-ai-triton-redirect";

/// The method of a path that may be redirected to; nullptr: it may not.
const char* method_of(const std::vector<std::string>& path) {
  if (path.empty()) return nullptr;
  const std::string& first = path.front();
  const std::string& last = path.back();
  if (path.size() == 1) return first == "metrics" || first == "v2" ? "GET" : nullptr;
  if (first != "v2") return nullptr;
  const std::string& kind = path[1];
  if (kind == "health") return "GET";
  if (kind == "models") return path.size() > 3 && last == "infer" ? "POST" : "GET";
  if (kind == "repository") return "POST";
  if (kind == "systemsharedmemory" || kind == "cudasharedmemory") return last == "status" ? "GET" : "POST";
  return nullptr;
}

}  // namespace

std::optional<wire::HttpReply> RedirectGate::admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) {
  std::string_view to = request.header(kHeader);
  if (request.path == route_ && !to.empty()) {
    if (request.method != "POST") return refuse(request, wrong_method("POST"));
    while (to.starts_with('/')) to.remove_prefix(1);
    const std::string path = "/" + std::string(to);
    const auto segments = split_path(path);
    const char* const method = segments.ok() ? method_of(*segments) : nullptr;
    if (method == nullptr)
      return refuse(request, error_reply(invalid_argument(
                                 "the header X-Vertex-Ai-Triton-Redirect names '" + std::string(to) +
                                 "'; it may name metrics, v2, or what is below v2/health, v2/models, v2/repository and "
                                 "v2/systemsharedmemory")));
    request.path = path;
    request.method = method;
  }
  return inner_ ? inner_->admit(request, ticket) : std::nullopt;
}

wire::HttpReply RedirectGate::refuse(const wire::HttpRequest& request, wire::HttpReply reply) const {
  log_refusal(log_, request, reply);
  return reply;
}

Status RedirectGate::admit(const wire::GrpcCallHead& call, std::unique_ptr<wire::Ticket>& ticket,
                           wire::GrpcMetadata& trailers) {
  return inner_ ? inner_->admit(call, ticket, trailers) : ok_status();
}

}  // namespace modelmill
