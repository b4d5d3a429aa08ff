#pragma once

#include <cstddef>

#include "base/mutex.h"
#include "runtime/room.h"

namespace modelmill {

/// What has been made for one client and has not reached it. It bounds a stream of answers: who makes them waits here
/// while there are too many bytes of them, the loop that sends them tells how many are left. Thread-safe.
class Backlog final : public Room {
 public:
  /// Who makes answers waits when there is more than `most`, until there is no more than half of it.
  explicit Backlog(size_t most) : most_(most) {}

  /// `bytes` more are on their way to the loop.
  void add(size_t bytes);
  /// Returns when there is room, or at once: after close(), and on a loop's own thread, which must not wait for itself.
  void wait_for_room() override;

  /// On the loop: `bytes` have come there, and `unsent` of all that came has not left yet.
  void settle(size_t bytes, size_t unsent);
  /// So much is unsent that settle() should be called again although nothing comes. `unsent` as it is there.
  bool needs_settling(size_t unsent) const { return unsent > most_ / 2; }

  /// Nobody reads any more: nobody waits from now on.
  void close();

 private:
  size_t waiting() const MM_REQUIRES(mutex_) { return coming_ + unsent_; }

  const size_t most_;
  Mutex mutex_;
  CondVar room_;
  size_t coming_ MM_GUARDED_BY(mutex_) = 0;
  size_t unsent_ MM_GUARDED_BY(mutex_) = 0;
  bool closed_ MM_GUARDED_BY(mutex_) = false;
};

}  // namespace modelmill
