#include "schedule/admission.h"

#include <algorithm>

#include "schedule/batch_price.h"

namespace modelmill {
namespace {

/// The objective can be held when a lone request takes at most half of it.
bool can_be_held(const BatchPolicy& policy, const CostCurve* cost) {
  return policy.objective > Duration{} && cost && BatchPrice(policy, *cost).can_hold(1);
}

}  // namespace

Admission admit(const BatchPolicy& policy, const WorkAhead& ahead, const CostCurve* cost, TimePoint now,
                TimePoint deadline, double share, int64_t most_rows) {
  const bool by_objective = can_be_held(policy, cost);
  if (!cost || !cost->known() || ahead.idle > 0 || ahead.lanes == 0) return {};
  if (deadline == kNever && !by_objective) return {};
  const BatchPrice price(policy, *cost);
  int64_t rows = price.limit();
  if (by_objective) rows = std::min({rows, price.rows_within_objective(share), most_rows});
  // Each lane is in the middle of a batch, and those in front fill so many more.
  const double batches = static_cast<double>(ahead.rows) / static_cast<double>(rows) / ahead.lanes + 0.5;
  const double wait_ns = static_cast<double>(to_ns(price.expected(rows))) * batches;
  const Duration expected = std::chrono::nanoseconds(static_cast<int64_t>(wait_ns)) + price.expected(rows);
  if (deadline != kNever && now + expected > deadline) return {Admission::Verdict::kMissesDeadline, expected};
  if (by_objective && expected > std::chrono::duration_cast<Duration>(policy.objective * share))
    return {Admission::Verdict::kMissesObjective, expected};
  return {};
}

TimePoint too_late_before(const BatchPolicy& policy, const CostCurve* cost, TimePoint now) {
  if (!can_be_held(policy, cost)) return TimePoint::min();
  return now + BatchPrice(policy, *cost).expected(1) - policy.objective;
}

}  // namespace modelmill
