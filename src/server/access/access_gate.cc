#include "server/access/access_gate.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <utility>

#include "server/access/refusal_log.h"

namespace modelmill {
namespace {

using wire::ApiGroup;
using Kind = AccessRule::Kind;

/// The names of the reasons, as the metric has them.
constexpr std::array<std::string_view, 9> kReasonNames = {"off",  "no token",  "bad token", "other groups", "header",
                                                          "rate", "in flight", "origin",    "endpoint"};

constexpr std::string_view kNoTokenChallenge = R"(Bearer realm="modelmill")";
constexpr std::string_view kBadTokenChallenge = R"(Bearer realm="modelmill", error="invalid_token")";
constexpr std::string_view kScopeChallenge = R"(Bearer realm="modelmill", error="insufficient_scope")";

/// Triton's clients send the header of a restricted gRPC group under this prefix.
constexpr std::string_view kTritonPrefix = "triton-grpc-protocol-";

std::string named(ApiGroup group) { return std::string(wire::api_group_name(group)); }

/// The time taken tells nothing but the length.
bool equals_secret(std::string_view presented, std::string_view secret) {
  return presented.size() == secret.size() && CRYPTO_memcmp(presented.data(), secret.data(), secret.size()) == 0;
}

int64_t whole_seconds(Duration wait) {
  return std::max<int64_t>(1, std::chrono::ceil<std::chrono::seconds>(wait).count());
}

std::string retry_text(Duration wait) {
  return "try again in " + std::to_string(std::chrono::ceil<std::chrono::milliseconds>(wait).count()) + " ms";
}

std::shared_ptr<ClientLimits> make_limits(const ClientLimits::Options& options, const TimeSource& time) {
  if (options.rate == 0 && options.in_flight == 0) return nullptr;
  return std::make_shared<ClientLimits>(options, time);
}

}  // namespace

/// What the rules look at, of either protocol.
class AccessGate::Request {
 public:
  explicit Request(const wire::HttpRequest& http) : http_(&http) {}
  explicit Request(const wire::GrpcCallHead& call) : call_(&call) {}

  std::string_view header(std::string_view name) const {
    return http_ != nullptr ? http_->header(name) : call_->header(name);
  }
  std::string_view path() const { return http_ != nullptr ? std::string_view(http_->path) : call_->path; }
  bool is_grpc() const { return call_ != nullptr; }
  wire::Services serves() const { return http_ != nullptr ? http_->serves : call_->serves; }
  ApiKinds kinds(ApiGroup group) const {
    return http_ != nullptr ? http_api_kinds(path(), group) : grpc_api_kinds(path(), group);
  }
  std::string_view peer() const { return http_ != nullptr ? std::string_view(http_->peer) : call_->peer; }
  /// Whether the header is there with this value.
  bool shows(const AccessRule& rule) const {
    if (equals_secret(header(rule.header), rule.value)) return true;
    return call_ != nullptr && equals_secret(header(std::string(kTritonPrefix) + rule.header), rule.value);
  }

 private:
  const wire::HttpRequest* http_ = nullptr;
  const wire::GrpcCallHead* call_ = nullptr;
};

AccessGate::AccessGate(Options options, const HttpRouter& router, HttpRouter::AccessLog log, MetricRegistry& metrics,
                       const TimeSource& time)
    : rules_(std::move(options.rules)),
      restrictions_(std::move(options.restrictions)),
      management_prefixes_(std::move(options.management_prefixes)),
      tokens_(std::move(options.tokens)),
      cors_(std::move(options.cors_origins)),
      limits_(make_limits(options.limits, time)),
      router_(router),
      log_(std::move(log)) {
  static_assert(kReasonNames.size() == kReasons);
  prepare_counters(metrics, options.endpoints_differ);
}

void AccessGate::prepare_counters(MetricRegistry& metrics, bool endpoints_differ) {
  for (size_t i = 0; i < wire::kApiGroups; ++i) {
    const auto count = [&](Reason reason) {
      refused_[i][reason] = metrics.counter(
          "modelmill_access_refused_total", "Requests refused before their body was read, by group of calls and reason",
          {{"group", std::string(wire::kApiGroupNames[i])}, {"reason", std::string(kReasonNames[reason])}});
    };
    const Kind kind = rules_[i].kind;
    const bool is_management = static_cast<ApiGroup>(i) == ApiGroup::kManagement;
    if (kind == Kind::kOff || (is_management && !management_prefixes_.empty())) count(kOff);
    if (kind == Kind::kHeader || !restrictions_.empty()) count(kHeader);
    if (endpoints_differ) count(kEndpoint);
    if (kind == Kind::kToken)
      for (const Reason reason : {kNoToken, kBadToken, kOtherGroups}) count(reason);
    if (limits_ && static_cast<ApiGroup>(i) == ApiGroup::kInference)
      for (const Reason reason : {kRate, kInFlight}) count(reason);
    if (cors_.on()) count(kOrigin);
  }
}

AccessGate::Refusal AccessGate::refuse(ApiGroup group, Reason reason, Refusal refusal) const {
  if (const auto& counter = refused_[static_cast<size_t>(group)][reason]) counter->add();
  return refusal;
}

AccessGate::Refusal AccessGate::ask_token(ApiGroup group, std::string_view presented,
                                          const TokenTable::Token* token) const {
  if (presented.empty()) {
    return refuse(group, kNoToken,
                  {Status(Code::kUnauthenticated, "calls of the group " + named(group) +
                                                      " need a token; send the header 'authorization: Bearer TOKEN'"),
                   kNoTokenChallenge});
  }
  if (token == nullptr) {
    return refuse(group, kBadToken,
                  {Status(Code::kUnauthenticated, "this server does not know the token"), kBadTokenChallenge});
  }
  if (token->allows(group)) return {};
  return refuse(group, kOtherGroups,
                {Status(Code::kPermissionDenied,
                        "the token of '" + token->name + "' is not for calls of the group " + named(group)),
                 kScopeChallenge});
}

AccessGate::Refusal AccessGate::hold_to_limits(ApiGroup group, const Request& request, const TokenTable::Token* token,
                                               std::unique_ptr<wire::Ticket>& ticket) const {
  // A name and an address are never the same client, whatever the name.
  const std::string client = token != nullptr ? "token " + token->name : client_of_peer(request.peer());
  ClientLimits::Verdict verdict = limits_->admit(client);
  switch (verdict.refusal) {
    case ClientLimits::Refusal::kRate:
      return refuse(group, kRate,
                    {resource_exhausted("this client asks more often than --client-rate allows; " +
                                        retry_text(verdict.retry_after)),
                     {},
                     verdict.retry_after});
    case ClientLimits::Refusal::kInFlight:
      return refuse(group, kInFlight,
                    {resource_exhausted("this client has as many requests in flight as --client-concurrency allows; "
                                        "wait for one to be answered"),
                     {},
                     verdict.retry_after});
    case ClientLimits::Refusal::kNone: ticket = std::move(verdict.ticket); break;
  }
  return {};
}

AccessGate::Refusal AccessGate::ask_endpoint(ApiGroup group, const Request& request) const {
  const wire::Services serves = request.serves();
  const auto has = [&serves](ApiGroup asked) {
    return asked == ApiGroup::kInference ? serves.inference : asked == ApiGroup::kManagement ? serves.management : true;
  };
  if (request.is_grpc()) {
    if (serves.grpc && has(group)) return {};
    if (serves.grpc)
      return refuse(group, kEndpoint,
                    {unimplemented("this port does not serve " + named(group) + "; ask the port that does")});
    return refuse(group, kEndpoint, {unimplemented("this port does not serve gRPC; ask the port that does")});
  }
  if (serves.http && !has(group))
    return refuse(group, kEndpoint,
                  {not_found("this port does not serve " + named(group) + "; ask the port that does")});
  if (group == ApiGroup::kMetrics ? serves.metrics : serves.http) return {};
  return refuse(group, kEndpoint,
                {not_found(group == ApiGroup::kMetrics ? "this port does not serve metrics; ask the port that does"
                                                       : "this port does not serve this path; ask the port for HTTP")});
}

AccessGate::Refusal AccessGate::ask_management(const Request& request) const {
  const bool known =
      management_prefixes_.empty() ||
      std::any_of(management_prefixes_.begin(), management_prefixes_.end(),
                  [path = request.path()](const std::string& prefix) { return path.starts_with(prefix); });
  if (known) return {};
  return refuse(ApiGroup::kManagement, kOff,
                {Status(Code::kPermissionDenied,
                        "this server stands in for another, and only the calls that the other has may change it; run "
                        "'modelmill serve' for the rest")});
}

AccessGate::Refusal AccessGate::ask_restrictions(ApiGroup group, const Request& request) const {
  if (restrictions_.empty()) return {};
  const ApiKinds kinds = request.kinds(group);
  for (const Restriction& restriction : restrictions_) {
    if (restriction.grpc != request.is_grpc() || (kinds & bit_of(restriction.kind)) == 0) continue;
    if (equals_secret(request.header(restriction.header), restriction.value)) continue;
    // In Triton's words and with its codes.
    return refuse(group, kHeader,
                  restriction.grpc
                      ? Refusal{Status(Code::kUnavailable,
                                       "This protocol is restricted, expecting header '" + restriction.header + "'")}
                      : Refusal{Status(Code::kPermissionDenied,
                                       "This API is restricted, expecting header '" + restriction.header + "'")});
  }
  return {};
}

AccessGate::Refusal AccessGate::decide(ApiGroup group, const Request& request,
                                       std::unique_ptr<wire::Ticket>& ticket) const {
  if (Refusal refusal = ask_endpoint(group, request); !refusal.status.ok()) return refusal;
  if (Refusal refusal = ask_restrictions(group, request); !refusal.status.ok()) return refusal;
  if (group == ApiGroup::kManagement)
    if (Refusal refusal = ask_management(request); !refusal.status.ok()) return refusal;
  const AccessRule& rule = rules_[static_cast<size_t>(group)];
  const bool limited = limits_ != nullptr && group == ApiGroup::kInference;
  if (rule.kind == Kind::kOpen && !limited) return {};
  if (rule.kind == Kind::kOff) {
    return refuse(group, kOff,
                  {Status(Code::kPermissionDenied, "calls of the group " + named(group) +
                                                       " are off on this server (--api " + named(group) + "=off)")});
  }
  if (rule.kind == Kind::kHeader && !request.shows(rule)) {
    return refuse(group, kHeader,
                  {Status(Code::kPermissionDenied, "calls of the group " + named(group) + " need the header '" +
                                                       rule.header + "' with the value that the operator has set")});
  }
  std::string_view presented;
  std::shared_ptr<const TokenTable> tokens;
  const TokenTable::Token* token = nullptr;
  if (tokens_ != nullptr) {
    presented = bearer_token(request.header("authorization"));
    tokens = tokens_->tokens();
    if (!presented.empty()) token = tokens->find(presented);
  }
  if (rule.kind == Kind::kToken) {
    Refusal refusal = ask_token(group, presented, token);
    if (!refusal.status.ok()) return refusal;
  }
  return limited ? hold_to_limits(group, request, token, ticket) : Refusal();
}

std::optional<wire::HttpReply> AccessGate::answer(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) {
  const std::optional<ApiGroup> group = router_.group(request);
  if (auto preflight = cors_.preflight(request)) {
    if (preflight->status != 204) refuse(group.value_or(ApiGroup::kMetadata), kOrigin, {});
    return preflight;
  }
  if (!group) return router_.no_such_path(request);
  const Refusal refusal = decide(*group, Request(request), ticket);
  if (refusal.status.ok()) return std::nullopt;
  wire::HttpReply reply = error_reply(refusal.status);
  if (!refusal.challenge.empty()) reply.headers.emplace_back("WWW-Authenticate", refusal.challenge);
  for (auto& [name, value] : reply.headers)
    if (name == "Retry-After") value = std::to_string(whole_seconds(refusal.retry_after));
  return reply;
}

std::optional<wire::HttpReply> AccessGate::admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) {
  cors_.mark(request);
  std::optional<wire::HttpReply> reply = answer(request, ticket);
  if (reply) log_refusal(log_, request, *reply);
  return reply;
}

Status AccessGate::admit(const wire::GrpcCallHead& call, std::unique_ptr<wire::Ticket>& ticket,
                         wire::GrpcMetadata& trailers) {
  Refusal refusal = decide(call.group, Request(call), ticket);
  // What gRPC's own retries look at.
  if (refusal.retry_after > Duration::zero()) {
    trailers.emplace_back("grpc-retry-pushback-ms",
                          std::to_string(std::chrono::ceil<std::chrono::milliseconds>(refusal.retry_after).count()));
  }
  return std::move(refusal.status);
}

}  // namespace modelmill
