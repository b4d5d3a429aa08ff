#include "server/access/cors.h"

#include <algorithm>
#include <utility>

#include "dialect/http_router.h"

namespace modelmill {
namespace {

/// What a page may read beside the headers that it always may.
constexpr std::string_view kExposed =
    "Inference-Header-Content-Length, Content-Encoding, Retry-After, Server-Timing, WWW-Authenticate, traceparent, "
    "x-request-id";
/// Browsers keep a preflight's answer for at most two hours, whatever they are told.
constexpr std::string_view kMaxAge = "7200";
/// Of header names that are mirrored; no page has a use for more.
constexpr size_t kLongestHeaders = 4096;

/// A list of header names, and nothing else.
bool is_header_list(std::string_view text) {
  if (text.size() > kLongestHeaders) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == ',' || c == ' ';
  });
}

}  // namespace

Cors::Cors(std::vector<std::string> origins) : origins_(std::move(origins)) {
  any_ = std::find(origins_.begin(), origins_.end(), "*") != origins_.end();
}

bool Cors::allows(std::string_view origin) const {
  return any_ || std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

std::optional<wire::HttpReply> Cors::preflight(const wire::HttpRequest& request) const {
  if (!on() || request.method != "OPTIONS") return std::nullopt;
  const std::string_view origin = request.header("origin");
  if (origin.empty() || request.header("access-control-request-method").empty()) return std::nullopt;
  if (!allows(origin)) {
    return error_reply(Status(Code::kPermissionDenied, "pages of the origin '" + std::string(origin) +
                                                           "' may not call this server; --cors-origin allows it"));
  }
  wire::HttpReply reply;
  reply.status = 204;
  reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, POST");
  const std::string_view headers = request.header("access-control-request-headers");
  if (!headers.empty() && is_header_list(headers)) reply.headers.emplace_back("Access-Control-Allow-Headers", headers);
  reply.headers.emplace_back("Access-Control-Max-Age", kMaxAge);
  return reply;
}

void Cors::mark(wire::HttpRequest& request) const {
  if (!on()) return;
  auto& headers = request.reply_headers;
  // A cache must not give one origin's reply to another.
  if (!any_) headers.emplace_back("Vary", "Origin");
  const std::string_view origin = request.header("origin");
  if (origin.empty() || !allows(origin)) return;
  headers.emplace_back("Access-Control-Allow-Origin", any_ ? std::string_view("*") : origin);
  headers.emplace_back("Access-Control-Expose-Headers", kExposed);
}

}  // namespace modelmill
