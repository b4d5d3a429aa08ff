#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "dialect/http_router.h"
#include "wire/gatekeeper.h"

namespace modelmill {

/// Sends a request to Vertex AI's path of inference on to the path that its header X-Vertex-Ai-Triton-Redirect names,
/// as Triton does: Vertex AI lets clients reach no other. Stands before another gatekeeper, which so decides about the
/// path that is meant, and whoever answers sees that path alone. Constant; thread-safe.
class RedirectGate final : public wire::Gatekeeper {
 public:
  /// `route`: the path of inference. `inner` may be null: it lets all in. `log` gets what this gate itself refuses.
  RedirectGate(std::string route, std::shared_ptr<wire::Gatekeeper> inner, HttpRouter::AccessLog log)
      : route_(std::move(route)), inner_(std::move(inner)), log_(std::move(log)) {}

  std::optional<wire::HttpReply> admit(wire::HttpRequest& request, std::unique_ptr<wire::Ticket>& ticket) override;
  Status admit(const wire::GrpcCallHead& call, std::unique_ptr<wire::Ticket>& ticket,
               wire::GrpcMetadata& trailers) override;

 private:
  wire::HttpReply refuse(const wire::HttpRequest& request, wire::HttpReply reply) const;

  const std::string route_;
  const std::shared_ptr<wire::Gatekeeper> inner_;
  const HttpRouter::AccessLog log_;
};

}  // namespace modelmill
