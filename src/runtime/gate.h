#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "base/mutex.h"

namespace modelmill {

/// Counts who is inside, and closes: after close() nobody enters any more, and a waiter is told when the last has left.
/// The drain primitive of a version swap and of shutdown. Entering and leaving are one atomic operation each.
/// Thread-safe. Must outlive everyone inside.
class Gate {
 public:
  /// False once closed; then leave() must not be called.
  bool enter() {
    const uint64_t before = state_.fetch_add(1, std::memory_order_acquire);
    if ((before & kClosed) == 0) return true;
    leave();
    return false;
  }
  void leave() {
    if (state_.fetch_sub(1, std::memory_order_acq_rel) == (kClosed | 1)) notify_empty();
  }

  /// No one enters from now on. Idempotent.
  void close();
  /// Blocks until the last one has left. Call after close().
  void wait_empty();
  bool closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }
  uint64_t inside_approx() const { return state_.load(std::memory_order_relaxed) & ~kClosed; }

 private:
  static constexpr uint64_t kClosed = uint64_t{1} << 63;
  void notify_empty();

  std::atomic<uint64_t> state_{0};
  Mutex mutex_;
  CondVar empty_;
};

}  // namespace modelmill
