#include "schedule/batch_price.h"

#include <algorithm>
#include <bit>

namespace modelmill {
namespace {

/// A batch waits for more rows when they raise its rate so much.
constexpr double kWorthWaiting = 1.1;

Duration planned(const BatchPolicy& policy, double share) {
  return std::chrono::duration_cast<Duration>(policy.objective * share);
}

}  // namespace

double BatchPrice::rate(int64_t rows) const {
  const int64_t filled = policy_.filled(rows);
  return cost_.rate(filled) * static_cast<double>(rows) / static_cast<double>(filled);
}

int64_t BatchPrice::limit() const { return std::min(policy_.max_rows, policy_.filled(cost_.limit())); }

int64_t BatchPrice::rows_within_objective(double share) const {
  if (!known()) return policy_.max_rows;
  for (int64_t rows = policy_.max_rows; rows > 1;
       rows = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows - 1))))
    if (2 * expected(rows) <= planned(policy_, share)) return rows;
  return 1;
}

bool BatchPrice::can_hold(double share) const { return known() && 2 * expected(1) <= planned(policy_, share); }

Duration time_to_wait(const BatchPrice& price, int64_t rows, int64_t limit, double arrivals, double share) {
  if (rows >= limit || arrivals <= 0) return {};
  // Half of the time that is left goes into waiting: what follows may take longer than expected.
  const Duration slack = planned(price.policy(), share) - price.p99(limit);
  if (slack <= Duration{}) return {};
  const double fill_seconds = static_cast<double>(limit - rows) / arrivals;
  const double wait_seconds = std::min(fill_seconds, to_seconds(slack) / 2);
  const auto more = static_cast<int64_t>(arrivals * wait_seconds);
  if (more < 1 || price.rate(rows + more) < kWorthWaiting * price.rate(rows)) return {};
  return std::chrono::nanoseconds(static_cast<int64_t>(wait_seconds * 1e9));
}

}  // namespace modelmill
