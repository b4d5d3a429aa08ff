#pragma once

#include <algorithm>

namespace modelmill {

/// The part of a latency objective that may be planned with. Follows the quantile: each answer that came too late
/// lowers it, each in time raises it by so much less that it rests where kLate of all come too late. So it finds by
/// itself how far the truth strays from what was expected. Not synchronised.
class ObjectiveShare {
 public:
  double value() const { return value_; }
  void observe(bool late) {
    value_ = std::clamp(value_ + (late ? -kStep * (1 - kLate) : kStep * kLate), kLeast, kMost);
  }

 private:
  /// A little less than the one in a hundred that a p99 allows.
  static constexpr double kLate = 0.007;
  static constexpr double kStep = 0.02;
  static constexpr double kLeast = 0.3;
  static constexpr double kMost = 0.95;
  double value_ = 0.85;
};

}  // namespace modelmill
