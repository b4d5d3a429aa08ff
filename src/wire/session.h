#pragma once

#include <cstddef>
#include <span>

#include "base/clock.h"
#include "wire/out_queue.h"

namespace modelmill::wire {

/// What speaks on a connection once its first bytes have told which protocol it is. Owned by its Connection; all calls
/// come on the loop's thread. A session asks for a flush when it has something to send, and never writes by itself.
class Session {
 public:
  virtual ~Session() = default;

  /// All bytes are taken; what can't be worked on yet is kept.
  virtual void receive(std::span<const std::byte> bytes) = 0;
  /// Where the next bytes are best read to (a large body's own memory), or empty.
  virtual std::span<std::byte> read_target() { return {}; }
  /// `n` bytes were read into read_target().
  virtual void received_into_target(size_t n) { (void)n; }
  /// False while the session has all the work it may take at a time.
  virtual bool wants_to_read() const { return true; }

  /// Adds to `out` what is ready to be sent, as long as `out` is not large.
  virtual void produce(OutQueue& out) { (void)out; }
  /// True when the connection should be closed as soon as `out` has been sent.
  virtual bool finished() const = 0;
  /// Whether, once finished, the peer may still be sending: then its bytes are thrown away for a moment, since closing
  /// on unread bytes could cost the peer the reply.
  virtual bool lingers() const { return true; }

  /// A look from time to time: ends what is idle or too slow.
  virtual void look(TimePoint now) { (void)now; }

  /// Take no more work; finish what is in flight.
  virtual void drain() = 0;
  /// The peer is gone: work in flight is abandoned. What has been answered may still be sent.
  virtual void peer_gone() = 0;
};

/// Above this a session waits before it adds to what its connection has to send.
inline constexpr size_t kOutHighWater = size_t{1} << 20;

}  // namespace modelmill::wire
