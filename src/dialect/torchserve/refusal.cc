#include "dialect/torchserve/refusal.h"

#include <span>
#include <string>
#include <string_view>

#include "dialect/http_router.h"
#include "dialect/torchserve/answers.h"

namespace modelmill::torchserve {
namespace {

/// Of a path that is answered with 405. `path` is without the prefix.
std::string_view methods_of(std::span<const std::string> path) {
  if (path.empty()) return "OPTIONS";
  const std::string& first = path[0];
  if (first == "predictions" || first == "explanations") return "GET, POST, PUT, OPTIONS";
  if (first == "wfpredict") return "GET, POST, PUT";
  if (first == "workflows") return path.size() == 1 ? "GET, POST" : "GET, DELETE";
  if (first == "models") return path.size() == 1 ? "GET, POST, OPTIONS" : "GET, PUT, DELETE, OPTIONS";
  return "GET";
}

}  // namespace

wire::HttpReply refusal(const Status& status, const wire::HttpRequest& request) {
  wire::HttpReply reply = failure_reply(status);
  if (reply.status != 405) return reply;
  const Result<std::vector<std::string>> path = split_path(request.path);
  std::span<const std::string> segments;
  if (path.ok()) segments = *path;
  if (!segments.empty() && segments[0] == "torchserve") segments = segments.subspan(1);
  reply.headers.emplace_back("Allow", methods_of(segments));
  return reply;
}

}  // namespace modelmill::torchserve
