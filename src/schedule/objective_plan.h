#pragma once

#include <vector>

#include "base/clock.h"
#include "catalog/instance_plan.h"
#include "catalog/instances.h"
#include "schedule/batch_policy.h"
#include "schedule/concurrency_costs.h"

namespace modelmill {

/// What a plan for an objective is made from, beside what executions cost.
struct PlanInputs {
  TimePoint now{};
  double arrivals = 0;  // rows a second that come, those that are refused too
  double share = 0.9;   // of the objective that may be planned with
};

/// The best batches for so many instances: rows and delay with the largest rate at which the objective is held.
///
/// A request finds all instances at work, waits for one, and runs: two executions, and what waits before it. Requests
/// come at random, so in front of it are more rows at times the nearer their rate comes to what the instances can do;
/// what the objective leaves beside two executions is for them. So larger batches do more rows a second, and stand
/// fewer at a time. Where not even batches of one row leave anything, the objective is not held, and the rate is what
/// the instances can do at all.
///
/// With `keep`, the rows so far, they stay unless larger ones hold the objective with room to spare, they don't hold it
/// any more, or smaller ones are clearly better. Pure; `costs` is known().
InstanceOption best_option(const BatchPolicy& policy, const ConcurrencyCosts& costs, int instances,
                           const PlanInputs& inputs, int64_t keep = 0);

/// The options worth looking at within the limits: the present number of instances, one more, one fewer, and those that
/// were measured lately; by instances, ascending. Pure.
std::vector<InstanceOption> options_for(const BatchPolicy& policy, const ConcurrencyCosts& costs, int present,
                                        const InstanceLimits& limits, const PlanInputs& inputs);

/// Whether `a` is to be had rather than `b`: what holds the objective, then what does so much more.
bool clearly_better(const InstanceOption& a, const InstanceOption& b, double by);

}  // namespace modelmill
