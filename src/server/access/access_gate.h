#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "dialect/http_router.h"
#include "runtime/metrics.h"
#include "server/access/access_config.h"
#include "server/access/client_limits.h"
#include "server/access/cors.h"
#include "server/access/token_store.h"
#include "wire/gatekeeper.h"

namespace modelmill {

/// Holds requests to the rules of their group, and clients to their limits, before anything of a body is read.
/// Constant while it serves; thread-safe.
class AccessGate final : public wire::Gatekeeper {
 public:
  struct Options {
    AccessRules rules;
    std::vector<Restriction> restrictions;
    std::vector<std::string> management_prefixes;
    /// Some endpoint does not serve everything.
    bool endpoints_differ = false;
    /// Not null where a rule asks for a token. Also names the clients that limits count.
    std::shared_ptr<const TokenStore> tokens;
    std::vector<std::string> cors_origins;
    /// Of the inference group.
    ClientLimits::Options limits;
  };

  /// `router` tells the groups of paths and must outlive the wire. `log` gets the HTTP requests that are answered here;
  /// may be null. Calls over gRPC are told by the wire.
  AccessGate(Options options, const HttpRouter& router, HttpRouter::AccessLog log, MetricRegistry& metrics,
             const TimeSource& time = TimeSource::steady());

  std::optional<wire::HttpReply> admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) override;
  Status admit(const wire::GrpcCallHead& call, std::unique_ptr<wire::Ticket>& ticket,
               wire::GrpcMetadata& trailers) override;

 private:
  enum Reason { kOff, kNoToken, kBadToken, kOtherGroups, kHeader, kRate, kInFlight, kOrigin, kEndpoint, kReasons };
  struct Refusal {
    Status status;                    // OK: let in
    std::string_view challenge = {};  // of a 401 or 403
    Duration retry_after{};
  };
  class Request;

  Refusal decide(wire::ApiGroup group, const Request& request, std::unique_ptr<wire::Ticket>& ticket) const;
  Refusal refuse(wire::ApiGroup group, Reason reason, Refusal refusal) const;
  Refusal ask_token(wire::ApiGroup group, std::string_view presented, const TokenTable::Token* token) const;
  Refusal hold_to_limits(wire::ApiGroup group, const Request& request, const TokenTable::Token* token,
                         std::unique_ptr<wire::Ticket>& ticket) const;
  std::optional<wire::HttpReply> answer(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket);
  void prepare_counters(MetricRegistry& metrics, bool endpoints_differ);
  /// Whether the endpoint serves what is asked for.
  Refusal ask_endpoint(wire::ApiGroup group, const Request& request) const;
  Refusal ask_management(const Request& request) const;
  Refusal ask_restrictions(wire::ApiGroup group, const Request& request) const;

  const AccessRules rules_;
  const std::vector<Restriction> restrictions_;
  const std::vector<std::string> management_prefixes_;
  const std::shared_ptr<const TokenStore> tokens_;
  const Cors cors_;
  const std::shared_ptr<ClientLimits> limits_;  // null: none
  const HttpRouter& router_;
  const HttpRouter::AccessLog log_;
  std::array<std::array<std::shared_ptr<Counter>, kReasons>, wire::kApiGroups> refused_;  // null where it can't happen
};

}  // namespace modelmill
