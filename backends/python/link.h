#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "arena.h"
#include "frames.h"
#include "region.h"
#include "unique_fd.h"

namespace modelmill::python {

/// A frame as it came; `body` lives until the next one is received.
struct Frame {
  FrameType type;
  uint64_t id = 0;
  std::span<const std::byte> body;
};

/// The server's end of one socket to a worker, with the memory that goes with it: an arena that the server writes, and
/// the regions that the worker made. Any thread sends; one thread at a time receives. Sending never blocks: what the
/// socket doesn't take waits until flush().
class Link {
 public:
  /// `memory_limit`: bytes of shared memory for each direction. `on_unsent` is called when flush() is wanted.
  Link(UniqueFd socket, uint64_t memory_limit, std::function<void()> on_unsent);
  ~Link();

  int fd() const { return socket_.get(); }
  Arena& arena() { return *arena_; }

  /// Sends a whole frame (FrameWriter::take), and before it the regions that the worker doesn't know yet.
  void send(std::string frame);
  /// Sends what waits. False: there is still more.
  bool flush();

  /// The next frame; regions are taken in on the way. With `wait` it blocks. False: there is none (now, or any more:
  /// ended()). Throws ProtocolError.
  bool receive(Frame& frame, bool wait);
  /// The worker has closed its end, or shut() was called, and all that came before has been read. For who receives.
  bool ended() const { return ended_; }
  /// Nothing more comes: whoever receives gets what is there already, then the end. Any thread.
  void shut();

  /// One of the worker's regions; null: there is none of that number. Any thread.
  std::shared_ptr<Region> region(uint32_t id) const;

 private:
  struct Unsent {
    std::string bytes;
    size_t sent = 0;
    std::shared_ptr<Region> with;  // whose descriptor goes along
  };

  bool try_send(Unsent& piece);
  void push(Unsent piece);
  bool read_more(bool wait);
  void take_fds(const msghdr& message);
  void take_region(FrameReader body);

  const UniqueFd socket_;
  const uint64_t memory_limit_;
  const std::function<void()> on_unsent_;
  const std::shared_ptr<Arena> arena_;

  std::mutex send_mutex_;
  std::deque<Unsent> unsent_;  // guarded by send_mutex_

  mutable std::mutex regions_mutex_;
  std::unordered_map<uint32_t, std::shared_ptr<Region>> regions_;  // guarded by regions_mutex_

  // Of the receiving thread.
  std::vector<std::byte> buffer_;
  size_t begin_ = 0, end_ = 0;
  std::deque<UniqueFd> fds_;
  uint64_t region_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace modelmill::python
