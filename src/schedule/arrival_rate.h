#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "base/clock.h"

namespace modelmill {

/// How many rows come in a second: a mean whose memory fades with time. Not synchronised; knows no clock.
class ArrivalRate {
 public:
  /// `memory`: what came longer ago than this counts less than a third.
  explicit ArrivalRate(Duration memory) : memory_seconds_(to_seconds(memory)) {}

  void add(int64_t rows, TimePoint now) {
    per_second_ = at(now) + static_cast<double>(rows) / memory_seconds_;
    last_ = std::max(last_, now);
  }
  double at(TimePoint now) const {
    if (per_second_ == 0) return 0;
    return per_second_ * std::exp(-std::max(0.0, to_seconds(now - last_)) / memory_seconds_);
  }

 private:
  double memory_seconds_;
  double per_second_ = 0;
  TimePoint last_{};
};

}  // namespace modelmill
