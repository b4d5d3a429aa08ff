#pragma once

#include <cstdint>

#include "base/clock.h"

namespace modelmill::wire {

/// For how long a state has been the same, told by looks from time to time; what happens between two looks shows in
/// the state's number. Never more than the truth. Reads no clock.
class Standstill {
 public:
  /// True when looks have found `state` for the whole of `timeout`. A timeout of zero never passes.
  bool lasts(TimePoint now, uint64_t state, Duration timeout) {
    if (state != state_ || since_ == kNever) {
      state_ = state;
      since_ = now;
    }
    return timeout != Duration::zero() && now - since_ >= timeout;
  }
  /// Nothing stands still.
  void reset() { since_ = kNever; }

 private:
  TimePoint since_ = kNever;
  uint64_t state_ = 0;
};

}  // namespace modelmill::wire
