#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "dialect/http_router.h"
#include "dialect/torchserve/keys.h"
#include "runtime/metrics.h"
#include "wire/gatekeeper.h"

namespace modelmill {

/// Asks for the keys of TorchServe's token authorization, after another gatekeeper has let a request in. Its own calls
/// are asked and refused as there: /ping and inference for the inference key, /models for that of management. Of all
/// other protocols inference and calls that change the server need the same key, those that read either one; health
/// and metrics are open. Constant; thread-safe.
class TorchKeyGate final : public wire::Gatekeeper {
 public:
  /// `inner` may be null: it lets all in. `router` tells the groups of paths and must outlive the wire.
  TorchKeyGate(std::shared_ptr<const torchserve::Keys> keys, std::shared_ptr<wire::Gatekeeper> inner,
               const HttpRouter& router, HttpRouter::AccessLog log, MetricRegistry& metrics);

  /// What `serve` says of it, a line, and what curl is told for inference.
  static std::string announcement(const std::string& file);
  static constexpr std::string_view kCurlOption = "-H 'Authorization: Bearer KEY'";

  std::optional<wire::HttpReply> admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) override;
  Status admit(const wire::GrpcCallHead& call, std::unique_ptr<wire::Ticket>& ticket,
               wire::GrpcMetadata& trailers) override;

 private:
  enum class Need { kNothing, kInference, kManagement, kEither };
  struct Rule {
    Need need = Need::kNothing;
    bool is_torch = false;
  };

  static Need need_of(wire::ApiGroup group);
  Rule rule_of(const wire::HttpRequest& request, wire::ApiGroup group) const;
  bool allows(Need need, wire::ApiGroup group, std::string_view authorization) const;

  const std::shared_ptr<const torchserve::Keys> keys_;
  const std::shared_ptr<wire::Gatekeeper> inner_;
  const HttpRouter& router_;
  const HttpRouter::AccessLog log_;
  std::array<std::array<std::shared_ptr<Counter>, 2>, wire::kApiGroups> refused_;  // without a key, with a wrong one
};

}  // namespace modelmill
