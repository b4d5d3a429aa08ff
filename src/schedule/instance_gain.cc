#include "schedule/instance_gain.h"

#include <algorithm>

namespace modelmill {
namespace {

/// Rows a second of so many that are measured; 0: they are not.
double rate_of(const ConcurrencyCosts& costs, int instances, int64_t rows, TimePoint now) {
  if (instances < 1 || !costs.measured(instances, now)) return 0;
  const double seconds = to_seconds(costs.estimate(instances, rows, now).expected);
  return seconds > 0 ? static_cast<double>(instances) * static_cast<double>(rows) / seconds : 0;
}

}  // namespace

std::optional<double> gain_of_another(const ConcurrencyCosts& costs, int instances, int64_t rows, TimePoint now) {
  const double present = rate_of(costs, instances, rows, now);
  if (present <= 0) return std::nullopt;
  if (const double more = rate_of(costs, instances + 1, rows, now); more > 0) return more / present;
  const double fewer = rate_of(costs, instances - 1, rows, now);
  if (fewer <= 0) return std::nullopt;
  return 1 + std::max(0.0, present - fewer) / present;
}

}  // namespace modelmill
