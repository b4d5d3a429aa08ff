#pragma once

#include <cstdint>

#include "base/clock.h"

namespace modelmill::wire {

/// Whether something that has reason to move does so, told by looks from time to time. Reads no clock.
class Progress {
 public:
  /// `waiting`: it has reason to move; `moved`: how far it has come in all. True when, over a whole `window` of looks
  /// that found it waiting, it has moved by less than `least`. A window of zero is never over.
  bool stalled(TimePoint now, bool waiting, uint64_t moved, Duration window, uint64_t least) {
    if (!waiting || window == Duration::zero()) {
      since_ = kNever;
      return false;
    }
    if (since_ == kNever) {
      since_ = now;
      from_ = moved;
      return false;
    }
    if (now - since_ < window) return false;
    const bool slow = moved < from_ + least;
    since_ = now;
    from_ = moved;
    return slow;
  }

 private:
  TimePoint since_ = kNever;  // never: it did not wait at the last look
  uint64_t from_ = 0;
};

}  // namespace modelmill::wire
