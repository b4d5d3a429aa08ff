#include "dialect/torchserve/key_service.h"

#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "base/percent_text.h"
#include "dialect/large_work.h"
#include "dialect/torchserve/answers.h"

namespace modelmill::torchserve {
namespace {

constexpr const char* kFailed =
    "Token Authorization failed. Token either incorrect, expired, or not provided correctly";
constexpr const char* kNotRenewed =
    "Token Authentication failed. Token either incorrect, expired, or not provided correctly";

std::optional<Keys::Kind> asked_kind(const wire::HttpRequest& request) {
  const auto query = parse_query(request.query);
  if (!query.ok()) return std::nullopt;
  for (const auto& [name, value] : *query) {
    if (name != "type") continue;
    if (value == "inference") return Keys::Kind::kInference;
    if (value == "management") return Keys::Kind::kManagement;
    return std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

wire::HttpReply key_refusal() { return failure_reply(Failure{400, "InvalidKeyException", kFailed}); }

Status key_refusal_status() { return {Code::kPermissionDenied, kFailed}; }

void handle_token(const std::shared_ptr<Keys>& keys, const std::shared_ptr<TorchMetrics>& metrics, Offload* offload,
                  const std::shared_ptr<wire::HttpExchange>& exchange) {
  const wire::HttpRequest& request = exchange->request();
  const auto reply = [metrics, exchange](wire::HttpReply reply) {
    metrics->replied(reply.status);
    exchange->reply(std::move(reply));
  };
  const auto kind = asked_kind(request);
  if (!kind || !keys->allows(Keys::Kind::kRenewal, key_in(request.header("authorization"))))
    return reply(failure_reply(Failure{400, "InvalidKeyException", kNotRenewed}));
  const auto renew = [keys, kind] {
    const Status status = keys->renew(*kind);
    if (!status.ok()) Log::error("a key was not renewed", {{"reason", status.message()}});
    return status.ok() ? json_reply(200, "\n") : failure_reply(Failure{400, "InvalidKeyException", kNotRenewed});
  };
  if (offload == nullptr) return reply(renew());
  const Status taken = run_large(*offload, [renew, reply, exchange] {
    exchange->loop().post([reply, answer = renew()]() mutable { reply(std::move(answer)); });
  });
  if (!taken.ok()) reply(failure_reply(taken));
}

}  // namespace modelmill::torchserve
