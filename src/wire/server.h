#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "runtime/metrics.h"
#include "wire/grpc.h"
#include "wire/http.h"
#include "wire/loop.h"

namespace modelmill::wire {

/// Bounds that keep one client from harming the others. All in bytes unless named otherwise.
struct Limits {
  size_t header_bytes = 64 * 1024;
  uint64_t http_body = uint64_t{16} << 30;
  size_t grpc_message = (size_t{2} << 30) - 1;  // protobuf's own limit
  uint32_t streams_per_connection = 1024;
  int connections = 10'000;
};

/// The one port: accepts connections, tells HTTP/1.1 from HTTP/2 by the client's first bytes, and gives requests to the
/// HTTP handler or, by content-type application/grpc, to the gRPC methods. Start and stop on one thread.
class Server {
 public:
  struct Options {
    std::string host = "127.0.0.1";  // address or name; IPv6 without brackets
    uint16_t port = 8000;            // 0: any free one
    Limits limits;
  };

  Server(LoopPool& loops, Options options, HttpHandler http, GrpcMethods& grpc, MetricRegistry& metrics);
  ~Server();

  /// Binds and listens. ALREADY_EXISTS with the remedy when the port is taken.
  Status listen();
  /// The port in fact bound. After listen().
  uint16_t port() const;

  /// Accepts no more, tells every client to go (GOAWAY, Connection: close), and returns when all requests in flight
  /// have been answered and sent, or at `until`, when what is left is cut. Loops go on running.
  void drain(TimePoint until);

 private:
  struct Rep;
  std::shared_ptr<Rep> rep_;
};

}  // namespace modelmill::wire
