#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace modelmill {

/// An immutable value that one writer replaces and many readers hold. A reader keeps its own shared pointer and renews
/// it only when the version number has moved, so that the usual read is one relaxed load and no shared write.
/// Readers see a new value at their next get(). Thread-safe; a Reader belongs to one thread.
template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> initial) : value_(std::move(initial)) {}

  void publish(std::shared_ptr<const T> value) {
    {
      MutexLock lock(mutex_);
      value_.swap(value);
    }
    version_.fetch_add(1, std::memory_order_release);
  }  // the old value is dropped here, outside the lock

  std::shared_ptr<const T> get() const {
    MutexLock lock(mutex_);
    return value_;
  }

  class Reader {
   public:
    explicit Reader(const Snapshot& snapshot) : snapshot_(&snapshot) {}
    /// Valid until the next get() of this Reader.
    const T& get() {
      const uint64_t now = snapshot_->version_.load(std::memory_order_acquire);
      if (!value_ || now != seen_) {
        value_ = snapshot_->get();
        seen_ = now;
      }
      return *value_;
    }

   private:
    const Snapshot* snapshot_;
    std::shared_ptr<const T> value_;
    uint64_t seen_ = 0;
  };

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const T> value_ MM_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_{0};
};

}  // namespace modelmill
