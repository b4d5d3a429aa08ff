#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/mutex.h"

namespace modelmill {

/// What all shadows of a server together may hold.
struct ShadowLimits {
  int64_t requests = 256;
  int64_t bytes = int64_t{64} << 20;
};

/// Bounds the copies of requests on their way to shadows, in number and in bytes: what has no room is not made.
/// Thread-safe; must outlive its shares.
class ShadowBudget {
 public:
  explicit ShadowBudget(ShadowLimits limits) : limits_(limits) {}

  /// A part of it, given back in the end. Empty, or of one budget. Not synchronised.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept
        : budget_(std::exchange(other.budget_, nullptr)), requests_(other.requests_), bytes_(other.bytes_) {}
    Share& operator=(Share&& other) noexcept {
      Share taken(std::move(other));
      std::swap(budget_, taken.budget_);
      std::swap(requests_, taken.requests_);
      std::swap(bytes_, taken.bytes_);
      return *this;
    }
    ~Share() { give_back(); }

    explicit operator bool() const { return budget_ != nullptr; }
    int64_t bytes() const { return bytes_; }
    /// So many bytes from now on; false, and nothing has changed, when there is no room for them.
    [[nodiscard]] bool resize(int64_t bytes) {
      if (!budget_->take(0, bytes - bytes_)) return false;
      bytes_ = bytes;
      return true;
    }
    void give_back() {
      if (budget_ != nullptr) std::exchange(budget_, nullptr)->take(-requests_, -bytes_);
    }

   private:
    friend class ShadowBudget;
    Share(ShadowBudget* budget, int64_t requests, int64_t bytes)
        : budget_(budget), requests_(requests), bytes_(bytes) {}
    ShadowBudget* budget_ = nullptr;
    int64_t requests_ = 0, bytes_ = 0;
  };

  /// Empty when there is no room.
  [[nodiscard]] Share reserve(int64_t requests, int64_t bytes) {
    return take(requests, bytes) ? Share(this, requests, bytes) : Share();
  }

  int64_t requests() const {
    const MutexLock lock(mutex_);
    return requests_;
  }
  int64_t bytes() const {
    const MutexLock lock(mutex_);
    return bytes_;
  }
  const ShadowLimits& limits() const { return limits_; }

 private:
  /// What is given back always finds its room.
  bool take(int64_t requests, int64_t bytes) {
    const MutexLock lock(mutex_);
    if (requests > 0 && requests_ + requests > limits_.requests) return false;
    if (bytes > 0 && bytes > limits_.bytes - bytes_) return false;
    requests_ += requests;
    bytes_ += bytes;
    return true;
  }

  const ShadowLimits limits_;
  mutable Mutex mutex_;
  int64_t requests_ MM_GUARDED_BY(mutex_) = 0;
  int64_t bytes_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill
