#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace modelmill::wire {

class Loop;

/// The outcome of one read or write.
struct IoResult {
  enum State {
    kDone,        // `bytes` > 0 were moved
    kWouldBlock,  // nothing now; wait
    kClosed,      // a read found the end: the peer will send no more
    kFailed,      // the connection is unusable
  };
  State state;
  size_t bytes = 0;
};

/// A connection's bytes: those of the socket, or TLS over it. Which of the two is the listener's property; bytes never
/// decide. Belongs to the loop's thread.
class Transport {
 public:
  /// Who is told. A pending operation shares in its user's life.
  class User {
   public:
    virtual ~User() = default;
    virtual void on_read(IoResult result) = 0;
    virtual void on_writable() = 0;
  };

  virtual ~Transport() = default;

  /// Reads into `into` when there is something, then tells the user. One at a time; `into` stays until then.
  virtual void async_read(std::span<std::byte> into, std::shared_ptr<User> user) = 0;
  /// What a pending or coming read is for: so many bytes that are certain to come and of no use before they are all
  /// here; 0: nobody knows. A transport may let many of them gather before it tells its user.
  virtual void expect(size_t bytes) { (void)bytes; }
  /// Reads what is there now.
  virtual IoResult read(std::span<std::byte> into) = 0;
  /// Writes as much as fits now.
  virtual IoResult write(std::span<const iovec> pieces) = 0;
  /// Tells the user when a write would move something. One at a time.
  virtual void async_writable(std::shared_ptr<User> user) = 0;
  /// Of what was written, what the peer's system has not yet confirmed.
  virtual size_t unconfirmed() const { return 0; }
  /// Whether bytes are encrypted on their way.
  virtual bool is_tls() const { return false; }
  /// What the peers have agreed to speak, when TLS has asked them: "h2", "http/1.1". Else empty, and the first bytes
  /// tell.
  virtual std::string_view protocol() const { return {}; }
  /// Tells the peer that no more will come, after what was written.
  virtual void shutdown_write() = 0;
  /// Ends everything; pending operations end without telling their user.
  virtual void close() = 0;
};

/// A transport on the connected socket `fd` of address family `family`, which it owns. Call on the loop's thread.
std::unique_ptr<Transport> make_plain_transport(Loop& loop, int fd, int family);

}  // namespace modelmill::wire
