#pragma once

#include <algorithm>

#include "base/clock.h"

namespace modelmill {

/// How many executions run side by side, on average over the life of one of them. Not synchronised; knows no clock.
class ConcurrencyMeter {
 public:
  /// What an execution keeps from its begin to its end.
  struct Mark {
    TimePoint at{};
    double sum = 0;
  };

  /// From `now` on so many run.
  void change(int running, TimePoint now) {
    advance(now);
    running_ = running;
  }
  /// An execution begins that is among those running.
  Mark mark(TimePoint now) {
    advance(now);
    return {now, sum_};
  }
  /// How many ran from the mark until now, itself among them; before change() counts it out.
  double mean_since(const Mark& mark, TimePoint now) {
    advance(now);
    const double seconds = to_seconds(now - mark.at);
    return seconds <= 0 ? running_ : (sum_ - mark.sum) / seconds;
  }

 private:
  /// Times that were read before a lock was had may come a little out of order.
  void advance(TimePoint now) {
    if (now <= at_) return;
    sum_ += running_ * to_seconds(now - at_);
    at_ = now;
  }

  int running_ = 0;
  double sum_ = 0;  // of those running, times seconds
  TimePoint at_{};
};

}  // namespace modelmill
