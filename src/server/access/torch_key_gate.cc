#include "server/access/torch_key_gate.h"

#include <string>
#include <utility>
#include <vector>

#include "dialect/torchserve/key_service.h"
#include "dialect/torchserve/older_prediction.h"
#include "server/access/refusal_log.h"

namespace modelmill {
namespace {

using torchserve::Keys;
using wire::ApiGroup;

constexpr std::string_view kPrefix = "torchserve";
constexpr std::string_view kInferenceService = "/org.pytorch.serve.grpc.inference.";
constexpr std::string_view kManagementService = "/org.pytorch.serve.grpc.management.";

/// The segments of a path, without TorchServe's prefix; `prefixed`: it had that.
std::vector<std::string> segments_of(const wire::HttpRequest& request, bool& prefixed) {
  auto segments = split_path(request.path);
  if (!segments.ok() || segments->empty()) return {};
  prefixed = segments->front() == kPrefix;
  if (prefixed) segments->erase(segments->begin());
  return *std::move(segments);
}

Status refusal_of_others(ApiGroup group) {
  return {Code::kUnauthenticated, "calls of the group " + std::string(wire::api_group_name(group)) +
                                      " need a key of TorchServe's token authorization, which is on; send the header "
                                      "'authorization: Bearer KEY'"};
}

}  // namespace

TorchKeyGate::TorchKeyGate(std::shared_ptr<const Keys> keys, std::shared_ptr<wire::Gatekeeper> inner,
                           const HttpRouter& router, HttpRouter::AccessLog log, MetricRegistry& metrics)
    : keys_(std::move(keys)), inner_(std::move(inner)), router_(router), log_(std::move(log)) {
  for (size_t i = 0; i < wire::kApiGroups; ++i) {
    for (const bool wrong : {false, true}) {
      refused_[i][wrong ? 1 : 0] = metrics.counter(
          "modelmill_access_refused_total", "Requests refused before their body was read, by group of calls and reason",
          {{"group", std::string(wire::kApiGroupNames[i])}, {"reason", wrong ? "bad token" : "no token"}});
    }
  }
}

std::string TorchKeyGate::announcement(const std::string& file) {
  return "Access: inference needs the inference key of " + file +
         ", management the management key; health (but for /ping) and metrics are open to whoever reaches the port.\n";
}

TorchKeyGate::Need TorchKeyGate::need_of(ApiGroup group) {
  switch (group) {
    case ApiGroup::kInference: return Need::kInference;
    case ApiGroup::kManagement: return Need::kManagement;
    case ApiGroup::kMetadata: return Need::kEither;
    case ApiGroup::kHealth:
    case ApiGroup::kMetrics: break;
  }
  return Need::kNothing;
}

TorchKeyGate::Rule TorchKeyGate::rule_of(const wire::HttpRequest& request, ApiGroup group) const {
  bool prefixed = false;
  const std::vector<std::string> path = segments_of(request, prefixed);
  const std::string first = path.empty() ? std::string() : path.front();
  if (first == "ping" || first == "predictions" || first == "explanations" || first == "wfpredict")
    return {Need::kInference, true};
  if (first == "models" || first == "workflows") return {Need::kManagement, true};
  // Descriptions are for everyone, and /token looks at its own key.
  const bool described = first == "api-description" || (first.empty() && request.method == "OPTIONS");
  if (first == "token" || described) return {Need::kNothing, true};
  return {need_of(group), prefixed || (!router_.has(first) && torchserve::is_older_prediction(path))};
}

bool TorchKeyGate::allows(Need need, ApiGroup group, std::string_view authorization) const {
  const std::string_view key = torchserve::key_in(authorization);
  const auto has = [&](Keys::Kind kind) { return keys_->allows(kind, key); };
  const bool inference = need != Need::kManagement && has(Keys::Kind::kInference);
  const bool management = need != Need::kInference && has(Keys::Kind::kManagement);
  if (need == Need::kNothing || inference || management) return true;
  refused_[static_cast<size_t>(group)][key.empty() ? 0 : 1]->add();
  return false;
}

std::optional<wire::HttpReply> TorchKeyGate::admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) {
  if (inner_ != nullptr)
    if (auto reply = inner_->admit(request, ticket)) return reply;
  const std::optional<ApiGroup> group = router_.group(request);
  if (!group) return std::nullopt;
  const Rule rule = rule_of(request, *group);
  if (allows(rule.need, *group, request.header("authorization"))) return std::nullopt;
  ticket.reset();
  wire::HttpReply reply = rule.is_torch ? torchserve::key_refusal() : error_reply(refusal_of_others(*group));
  log_refusal(log_, request, reply);
  return reply;
}

Status TorchKeyGate::admit(const wire::GrpcCallHead& call, std::unique_ptr<wire::Ticket>& ticket,
                           wire::GrpcMetadata& trailers) {
  if (inner_ != nullptr) MM_RETURN_IF_ERROR(inner_->admit(call, ticket, trailers));
  Rule rule{need_of(call.group), true};
  if (call.path.starts_with(kInferenceService)) {
    rule.need = Need::kInference;
  } else if (call.path.starts_with(kManagementService)) {
    rule.need = Need::kManagement;
  } else {
    rule.is_torch = false;
  }
  if (allows(rule.need, call.group, call.header("authorization"))) return ok_status();
  ticket.reset();
  return rule.is_torch ? torchserve::key_refusal_status() : refusal_of_others(call.group);
}

}  // namespace modelmill
