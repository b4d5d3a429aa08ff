#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "runtime/metrics.h"
#include "wire/endpoint.h"
#include "wire/gatekeeper.h"
#include "wire/grpc.h"
#include "wire/http.h"
#include "wire/loop.h"
#include "wire/tls_credentials.h"

namespace modelmill {
class Offload;
}

namespace modelmill::wire {

/// Bounds that keep one client from harming the others. All in bytes unless named otherwise. A timeout of zero is off.
struct Limits {
  size_t header_bytes = 64 * 1024;
  size_t header_count = 256;
  uint64_t http_body = uint64_t{16} << 30;
  size_t grpc_message = (size_t{2} << 30) - 1;  // protobuf's own limit
  size_t inflated = size_t{256} << 20;          // of a compressed body or message
  size_t unsent = size_t{256} << 20;  // of a connection's replies beside its largest; then requests are refused
  uint32_t streams_per_connection = 1024;
  int connections = 10'000;

  std::chrono::milliseconds idle_timeout{600'000};   // without a request
  std::chrono::milliseconds header_timeout{30'000};  // from a head's first byte, or the connection's beginning
  /// In each such span a body that is awaited, or a reply that waits for its client, moves by at least
  /// kLeastBytesPerSecond.
  std::chrono::milliseconds stall_timeout{30'000};
  std::chrono::milliseconds tls_handshake_timeout{10'000};
  /// How long a connection of HTTP/2 lives, a tenth more or less; then its client is told to go. And what its requests
  /// may take from then on.
  std::chrono::milliseconds connection_age{0};
  std::chrono::milliseconds connection_age_grace{0};
};

inline constexpr uint64_t kLeastBytesPerSecond = 1024;

/// The counter of what a limit has refused or cut, modelmill_wire_refused_total{limit="..."}: for whoever holds one of
/// the limits elsewhere.
std::shared_ptr<Counter> refused_counter(MetricRegistry& metrics, std::string_view limit);

/// The one port, on one or more endpoints: accepts connections, tells HTTP/1.1 from HTTP/2 by the client's first bytes,
/// and gives requests to the HTTP handler or, by content-type application/grpc, to the gRPC methods. Start and stop on
/// one thread.
class Server {
 public:
  struct Options {
    std::vector<Endpoint> endpoints = {Endpoint()};
    std::shared_ptr<TlsCredentials> tls;  // null: every endpoint is plain
    Limits limits;
    std::shared_ptr<Gatekeeper> gatekeeper;  // null: everyone may call everything
    Offload* offload = nullptr;              // inflates large messages; null: the loops do. Outlives the connections
    RefusalLog refusal_log;                  // may be null
  };

  Server(LoopPool& loops, Options options, HttpHandler http, GrpcMethods& grpc, MetricRegistry& metrics);
  ~Server();

  /// Listens on every endpoint, or, when that fails, on none; the error names the one that failed. ALREADY_EXISTS with
  /// the remedy when a port is taken.
  Status listen();
  /// The endpoints with the ports in fact bound and the schemes in fact spoken, in the order of the options. After
  /// listen().
  const std::vector<Endpoint>& endpoints() const;
  /// The first TCP endpoint's port, or 0.
  uint16_t port() const;

  int open_connections() const;

  /// The server will be drained soon. All is served as before, and connections are accepted; but replies of HTTP/1.1
  /// say Connection: close, so that clients leave in an order of their own and none finds a connection closed under it.
  void ask_to_leave();

  /// Accepts no more, tells every client to go (GOAWAY, Connection: close), and returns when all requests in flight
  /// have been answered and sent, or at `until`, when what is left is cut. Loops go on running.
  void drain(TimePoint until);

 private:
  struct Rep;
  std::shared_ptr<Rep> rep_;
};

}  // namespace modelmill::wire
