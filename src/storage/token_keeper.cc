#include "storage/token_keeper.h"

#include <utility>

#include "storage/json_fields.h"

namespace modelmill {
namespace {

constexpr std::chrono::minutes kBeforeTheEnd(5);

}  // namespace

Result<std::optional<std::string>> TokenKeeper::token(UtcTime now) {
  MutexLock lock(mutex_);
  if (!known_ || (token_ && now + kBeforeTheEnd >= token_->expires)) {
    auto fresh = get_(now);
    // What has not quite ended is better than nothing.
    if (!fresh.ok() && (!token_ || now >= token_->expires)) return fresh.status();
    if (fresh.ok()) token_ = *std::move(fresh);
    known_ = true;
  }
  return token_ ? std::optional(token_->text) : std::nullopt;
}

Result<BearerToken> ask_for_token(WebClient& web, const std::string& url, HttpClient::Headers headers,
                                  const std::string& form, const std::string& what, UtcTime now) {
  WebRequest request;
  MM_ASSIGN_OR_RETURN(request.url, parse_web_url(url));
  request.headers = std::move(headers);
  if (!form.empty()) {
    request.method = "POST";
    request.body = form;
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  }
  const std::atomic<bool> never{false};
  auto reply = web.send(request, {}, never);
  if (!reply.ok()) return reply.status().with_context(what);
  if (reply->status != 200) {
    const auto fields = JsonFields::parse(reply->body, what);
    return Status(Code::kUnauthenticated,
                  what + ": " + request.url.shown() + " answered HTTP " + std::to_string(reply->status) +
                      (fields.ok() ? " " + fields->get("error") + ": " + fields->get("error_description") : ""));
  }
  MM_ASSIGN_OR_RETURN(const JsonFields fields, JsonFields::parse(reply->body, what));
  if (fields.get("access_token").empty())
    return Status(Code::kUnauthenticated, what + ": " + request.url.shown() + " answered without a token");
  return BearerToken{fields.get("access_token"), now + std::chrono::seconds(fields.number("expires_in"))};
}

}  // namespace modelmill
