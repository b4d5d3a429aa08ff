#pragma once

#include <functional>

#include "schedule/concurrency_costs.h"

namespace modelmill::testing {

inline constexpr TimePoint kMeasuredAt{std::chrono::seconds(1'000)};

/// What a batch of so many rows takes beside so many others, itself among them.
using TimeOf = std::function<Duration(int64_t rows, int running)>;

/// As learned from executions of every size while 1 to `most` ran side by side.
inline ConcurrencyCosts measured_costs(int64_t max_rows, int most, const TimeOf& time) {
  ConcurrencyCosts costs(max_rows);
  for (int running = 1; running <= most; ++running)
    for (int64_t rows = 1; rows <= max_rows; rows *= 2)
      for (int64_t i = 0; i < ConcurrencyCosts::kEnough * 4; ++i)
        costs.learn(running, rows, time(rows, running), kMeasuredAt);
  return costs;
}

/// `fixed`, and `row` for each row, so many times as long for each execution beside.
inline TimeOf linear(Duration fixed, Duration row, double slower_for_each = 0) {
  return [=](int64_t rows, int running) {
    const double ns = static_cast<double>(to_ns(fixed + row * rows)) * (1 + slower_for_each * (running - 1));
    return Duration(std::chrono::nanoseconds(static_cast<int64_t>(ns)));
  };
}

}  // namespace modelmill::testing
