#pragma once

#include <string>
#include <vector>

#include "catalog/arm_counts.h"
#include "catalog/copy_counts.h"
#include "rollout/rollout_plan.h"

namespace modelmill {

/// How often a rollout may go wrong by chance, however long it is watched: it rolls back a canary that keeps to all
/// gates, or promotes one that does not keep to one, at most so often each.
inline constexpr double kRolloutError = 0.05;

/// What canary and baseline did over the same time, with the same shares. At a shadow's step the canary's requests are
/// the copies that it has answered, and its latency the computing of its executions: copies wait behind all clients.
struct RolloutWindow {
  ArmCounts canary, baseline;
  /// Of the shadow by which answers are compared: the canary at a shadow's step, the baseline at others.
  CopyCounts copies;
  bool operator==(const RolloutWindow&) const = default;
};
/// What several replicas counted of one step, or one did one after the other.
inline void add_to(RolloutWindow& into, const RolloutWindow& more) {
  add_to(into.canary, more.canary);
  add_to(into.baseline, more.baseline);
  add_to(into.copies, more.copies);
}
inline RolloutWindow counted_since(const RolloutWindow& now, const RolloutWindow& before) {
  return {counted_since(now.canary, before.canary), counted_since(now.baseline, before.baseline),
          counted_since(now.copies, before.copies)};
}

enum class RolloutVerdict {
  kWait,     // the step's hold time is not over
  kHold,     // it is, and there is too little traffic to go on
  kGoOn,     // to the next step
  kPromote,  // the canary is what serves from now on
  kRollBack,
};

/// One gate, as it stands.
struct GateReading {
  std::string gate;
  double canary = 0, baseline = 0;  // shares, microseconds or bytes; no baseline for limits and disagreement
  bool breached = false;
  bool proven = false;  // that the canary keeps to it
  std::string text;     // both numbers, for people
};

struct RolloutDecision {
  RolloutVerdict verdict = RolloutVerdict::kWait;
  std::string why;
  std::vector<GateReading> readings;
};

/// What is to be done at a step. Gates that are breached roll back at any time; at a shadow's step all count but
/// factors of latencies. To leave a step, its hold time must be over and each arm must have answered enough, and enough
/// answers must have been compared where a gate is about them; to leave the last one with a baseline, the canary must
/// also have been proven to keep to every gate. Pure.
RolloutDecision decide(const RolloutPlan& plan, size_t step, bool hold_is_over, const RolloutWindow& window);

/// Processes of the canary have crashed, or were ended because they broke a limit, and not as many of the baseline's.
bool is_crash(const RolloutWindow& window);

/// Of the last second or less: the canary fails at least every second time and ten times, and the baseline does not.
bool is_error_burst(const RolloutWindow& second);

/// The quantiles of both arms' computing at equal batch sizes: the baseline's executions are weighted as the canary's
/// are. Of sizes that both have used; 0 and 0 where they have none in common.
struct ComputeComparison {
  double canary_us = 0, baseline_us = 0;
};
ComputeComparison compare_compute(const RolloutWindow& window, double p);

}  // namespace modelmill
