#pragma once

#include <cstdint>
#include <vector>

namespace modelmill {

/// Values of users, one after the other: how many, their mean, and the sum of squared distances from it (Welford,
/// "Note on a method for calculating corrected sums of squares and products", 1962).
struct ValueTotals {
  uint64_t users = 0;
  double mean = 0;
  double squares = 0;

  void add(double value) {
    ++users;
    const double off = value - mean;
    mean += off / static_cast<double>(users);
    squares += off * (value - mean);
  }
  /// Of one value; 0 of fewer than two.
  double variance() const { return users < 2 ? 0 : squares / static_cast<double>(users - 1); }
  bool operator==(const ValueTotals&) const = default;
};

/// One arm of an experiment.
struct ArmTotals {
  uint64_t exposed = 0;              // users that it was given
  std::vector<ValueTotals> metrics;  // of those whose window is over; the goal first, then the guardrails
  std::vector<double> so_far;        // sums of all that is known, windows that are still open too
  bool operator==(const ArmTotals&) const = default;

  explicit ArmTotals(size_t metrics_count = 0) : metrics(metrics_count), so_far(metrics_count) {}
  /// Users whose window is over.
  uint64_t counted() const { return metrics.empty() ? 0 : metrics.front().users; }
};

}  // namespace modelmill
