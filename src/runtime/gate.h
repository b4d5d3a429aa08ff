#pragma once

#include <atomic>
#include <cstdint>

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
    uint64_t state = state_.load(std::memory_order_relaxed);
    while ((state & kClosed) == 0)
      if (state_.compare_exchange_weak(state, state - 1, std::memory_order_release, std::memory_order_relaxed)) return;
    leave_closed();
  }
  /// For one who is inside: enters once more, closed or not. Has its own leave().
  void enter_again() { state_.fetch_add(1, std::memory_order_relaxed); }

  /// No one enters from now on. Idempotent.
  void close();
  /// Blocks until the last one has left; from then on the gate may be destroyed. Call after close().
  void wait_empty();
  bool closed() const { return (state_.load(std::memory_order_acquire) & kClosed) != 0; }
  uint64_t inside_approx() const { return state_.load(std::memory_order_relaxed) & ~kClosed; }

 private:
  static constexpr uint64_t kClosed = uint64_t{1} << 63;
  /// The last one out counts itself out under the lock, so that the waiter, which may then destroy the gate, cannot
  /// return before it is done.
  void leave_closed();

  std::atomic<uint64_t> state_{0};
  Mutex mutex_;
  CondVar empty_;
};

}  // namespace modelmill
