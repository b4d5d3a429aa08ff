#pragma once

#include <memory>

#include "wire/listening_socket.h"
#include "wire/server_core.h"
#include "wire/tls_transport.h"

namespace modelmill::wire {

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

/// `tls` is null for a listener that is plain.
std::shared_ptr<Listener> make_listener(std::shared_ptr<ServerCore> core, LoopPool& loops, ListeningSocket socket,
                                        std::shared_ptr<const TlsTerms> tls);

}  // namespace modelmill::wire
