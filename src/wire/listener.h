#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "wire/server_core.h"

namespace modelmill::wire {

/// A socket that listens, not yet accepting.
struct ListeningSocket {
  int fd = -1;
  bool ipv6 = false;
  uint16_t port = 0;
};

/// Resolves, binds and listens. The message of an error names address and port, and what to do.
Result<ListeningSocket> open_listening_socket(const std::string& host, uint16_t port);

/// Accepts on one loop and hands each connection to the least busy one.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Any thread.
  virtual void start() = 0;
  /// Accepts no more and closes the socket. On the loop's thread, or when loops have stopped.
  virtual void stop() = 0;
  virtual Loop& loop() = 0;
};

std::shared_ptr<Listener> make_listener(std::shared_ptr<ServerCore> core, LoopPool& loops, ListeningSocket socket);

}  // namespace modelmill::wire
