#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"

namespace modelmill::wire {

/// Tells an HTTP/2 client that floods from one that works. Frames that carry no work (resets, pings, settings, grants,
/// empty data) use up an allowance; replies earn it back, and time gives some to everyone. The clock is read only when
/// the allowance is used up. Loop's thread.
class FloodGuard {
 public:
  static constexpr uint32_t kMost = 4096;
  static constexpr uint32_t kPerSecond = 1000;

  explicit FloodGuard(const TimeSource& time = TimeSource::steady()) : time_(time), refilled_(time.now()) {}

  /// False when there is not so much left: a flood.
  bool spend(uint32_t n) {
    if (n > left_) refill();
    if (n > left_) return false;
    left_ -= n;
    return true;
  }
  void earn(uint32_t n) { left_ = std::min(left_ + n, kMost); }

 private:
  void refill() {
    const TimePoint now = time_.now();
    const int64_t ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - refilled_).count();
    earn(static_cast<uint32_t>(std::clamp<int64_t>(ms * kPerSecond / 1000, 0, kMost)));
    refilled_ = now;
  }

  const TimeSource& time_;
  TimePoint refilled_;
  uint32_t left_ = kMost;
};

}  // namespace modelmill::wire
