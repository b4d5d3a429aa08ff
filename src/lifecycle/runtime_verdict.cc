#include "lifecycle/runtime_verdict.h"

namespace modelmill {
namespace {

/// Two of which the larger is no more than so many times the smaller are alike.
constexpr double kSameRate = 1.1;
constexpr double kSameInFlight = 1.25;

bool alike(double a, double b, double factor) { return a <= b * factor && b <= a * factor; }

}  // namespace

std::optional<double> seen_gain(const ServedTraffic& before, const ServedTraffic& after) {
  if (before.requests <= 0 || after.requests <= 0 || before.seconds <= 0 || after.seconds <= 0) return std::nullopt;
  if (before.request_seconds <= 0 || after.request_seconds <= 0) return std::nullopt;
  if (alike(before.in_flight(), after.in_flight(), kSameInFlight)) return after.rate() / before.rate();
  if (alike(before.rate(), after.rate(), kSameRate)) return before.latency() / after.latency();
  return std::nullopt;
}

}  // namespace modelmill
