#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/mutex.h"
#include "runtime/thread_slot.h"

namespace modelmill {

/// A pointer that many threads read and few change: each reads, under a lock of its own that only a change ever
/// contends, one of a few copies of it. Thread-safe.
template <typename T>
class SlottedPointer {
 public:
  /// Null until the first set().
  std::shared_ptr<const T> get() const {
    const Slot& slot = slots_[thread_slot() % kSlots];
    const MutexLock lock(slot.mutex);
    return slot.pointer;
  }

  /// What get() gives from the return on.
  void set(std::shared_ptr<const T> pointer) {
    const MutexLock changing(change_mutex_);
    const std::shared_ptr<const T> old = std::exchange(current_, std::move(pointer));  // let go of outside of the slots
    for (Slot& slot : slots_) {
      const MutexLock lock(slot.mutex);
      slot.pointer = current_;
    }
  }

 private:
  struct alignas(64) Slot {
    mutable Mutex mutex;
    std::shared_ptr<const T> pointer MM_GUARDED_BY(mutex);
  };
  static constexpr size_t kSlots = 16;

  Mutex change_mutex_;  // one after the other, so that all slots end with the same pointer
  std::shared_ptr<const T> current_ MM_GUARDED_BY(change_mutex_);
  std::array<Slot, kSlots> slots_;
};

}  // namespace modelmill
