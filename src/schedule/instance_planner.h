#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "base/clock.h"
#include "catalog/instance_plan.h"
#include "catalog/instances.h"
#include "schedule/batch_policy.h"
#include "schedule/concurrency_costs.h"
#include "schedule/objective_plan.h"

namespace modelmill {

/// Chooses the number of instances of a version, the rows of its batches and their delay together, so that a latency
/// objective is held and then most rows a second are done. One for each version; asked at regular intervals. Not
/// synchronised; knows no clock.
///
/// As long as what comes is sustained nothing is added. Where it is not, or the objective is not held, the version goes
/// to the fewest instances that sustain it, of those that were measured lately, or to the ones that sustain most. Where
/// none of them is better, one more than there are is tried, unless the objective could be missed by that: only where
/// even executions so slow that nothing is gained leave it its time, with batches and admission held to that from
/// before it begins until enough was seen. The trial ends at once when answers come late, and when it brings too
/// little; then it is not repeated for a while. One fewer is enough when it would have sustained what came for long,
/// with room to spare.
class InstancePlanner {
 public:
  explicit InstancePlanner(const BatchPolicy& policy) : policy_(policy) {}

  /// What was counted up to now.
  struct Counts {
    int64_t rows_done = 0;
    int64_t rows_refused = 0;  // or dropped: too late
    int64_t rows_waiting = 0;
    int64_t answered = 0;  // requests
    int64_t late = 0;      // of them, after the objective's time
  };
  struct View {
    int instances = 1;
    int busy = 0;
    Counts counts;
    double share = 0.9;  // of the objective that may be planned with
  };

  InstanceChoice observe(TimePoint now, const InstanceLimits& limits, const View& view, const ConcurrencyCosts& costs);

  /// How batches are to be made until it is asked again, and what was thought of.
  const InstanceOutlook& outlook() const { return outlook_; }

 private:
  /// A change to other instances, from its preparation until what follows from it is known.
  struct Move {
    int from = 0;  // instances; 0: there is none
    int to = 0;
    bool trial = false;
    std::string reason;
    ScalingReason kind{};
    TimePoint begins{};  // until then batches and admission are prepared for it
    bool begun = false;
    Counts before;
  };
  static constexpr int kPressedTwice = 2;
  static constexpr int kQuietFor = 20;

  void count(TimePoint now, const View& view);
  const InstanceOption* option(int instances) const;
  void choose_batches(const ConcurrencyCosts& costs, const PlanInputs& inputs, int instances);
  InstanceChoice choose(TimePoint now, const InstanceOption& present, const View& view, const InstanceLimits& limits);
  InstanceChoice go_on(TimePoint now, const InstanceOption& present);
  bool enough_for_long(const InstanceOption* fewer);
  void try_one_more(TimePoint now, const InstanceOption& present, const InstanceLimits& limits);
  InstanceChoice move(TimePoint now, const InstanceOption& present, int to, ScalingReason kind, std::string reason);
  InstanceChoice change(int to, ScalingReason kind, std::string reason);
  const InstanceOption* best_measured(const InstanceOption& present, const InstanceLimits& limits) const;
  void be_careful(const ConcurrencyCosts& costs, TimePoint now);

  const BatchPolicy policy_;
  InstanceOutlook outlook_;
  bool seen_ = false;
  Counts last_;
  TimePoint last_time_{};
  bool refused_ = false;  // since the last time
  bool late_ = false;     // more than an objective allows
  double seconds_ = 0;    // that the rate of arrivals is known from

  Move move_;
  std::map<int, TimePoint> tried_;  // when
  TimePoint moved_{};               // when it was last changed by what was measured
  Duration patience_{};             // that is to pass before it is again
  double slower_ = 1;               // so many times as long executions may take since there are more instances
  int64_t followed_from_ = 0;       // executions beside as many when that was
  int pressed_ = 0;                 // times in a row
  int quiet_ = 0;                   // times in a row
  int64_t seen_rows_ = 0;           // of the largest batch that there was lately
  int explored_ = 0;                // times that larger ones were waited for
};

}  // namespace modelmill
