#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill::wire {

/// What is answered to those who come to an endpoint.
struct Services {
  bool http = true;  // every path but that of the metrics
  bool grpc = true;
  bool metrics = true;
  // Of HTTP and gRPC, calls of these groups; the others are answered wherever the protocol is.
  bool inference = true;
  bool management = true;

  bool all() const { return http && grpc && metrics && inference && management; }
  bool operator==(const Services&) const = default;
};

/// Where a server listens, a TCP address or a unix socket, and whether TLS is spoken there. A value.
struct Endpoint {
  enum class Scheme {
    kAny,  // TLS where the server has a certificate, but never on a unix socket
    kHttp,
    kHttps,
  };

  Scheme scheme = Scheme::kAny;
  std::string host = "127.0.0.1";  // a name or an address; IPv6 without brackets
  uint16_t port = 8000;            // 0: any free one
  std::string path;                // of a unix socket's file; then host and port mean nothing
  Services serves = {};
  bool shared = false;  // other servers of the same user may listen there, too, and get their share of the connections

  bool is_unix() const { return !path.empty(); }
  bool operator==(const Endpoint&) const = default;
};

/// Reads "HOST:PORT", with "http://" or "https://" before it or not, or "unix:PATH". IPv6 stands in brackets. The error
/// shows what was expected.
Result<Endpoint> parse_endpoint(std::string_view text);

/// "127.0.0.1:8000", "[::1]:8000", "unix:/run/modelmill.sock".
std::string address_text(const Endpoint& endpoint);

/// The same with its scheme before it; kAny is written as http. A unix socket has none.
std::string url_text(const Endpoint& endpoint);

}  // namespace modelmill::wire
