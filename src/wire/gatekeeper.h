#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/status.h"
#include "wire/api_group.h"
#include "wire/endpoint.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill::wire {

/// Held by a request that was let in until it is answered; where nobody waits for the answer any more, until the work
/// on it has ended. May be destroyed on any thread.
class Ticket {
 public:
  virtual ~Ticket() = default;
};

/// What is known of a gRPC call before its first message. Views live for the call that gets it.
class GrpcCallHead {
 public:
  std::string_view path;  // "/package.Service/Method"
  ApiGroup group = ApiGroup::kManagement;
  std::string_view peer;
  Services serves;  // of the endpoint that it came to
  /// The first metadata of that (lower-case) name, as it was sent; empty when there is none.
  virtual std::string_view header(std::string_view name) const = 0;

 protected:
  ~GrpcCallHead() = default;
};

/// Decides who may call what. Asked on a loop's thread when a request's head is complete and before a byte of its body
/// is taken; several loops ask at once.
class Gatekeeper {
 public:
  virtual ~Gatekeeper() = default;

  /// The reply that refuses the request (or answers it, as a preflight), or nothing: it is let in. May add to
  /// request.reply_headers and set `ticket`. The body of a request that is not let in is never given to anyone.
  virtual std::optional<HttpReply> admit(HttpRequest& request, std::unique_ptr<Ticket>& ticket) = 0;

  /// The status that refuses the call, with `trailers`, or OK: it is let in. May set `ticket`. Asked for methods that
  /// exist.
  virtual Status admit(const GrpcCallHead& call, std::unique_ptr<Ticket>& ticket, GrpcMetadata& trailers) = 0;
};

}  // namespace modelmill::wire
