#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/instances.h"

namespace modelmill {

/// A way to run a version under its latency objective.
struct InstanceOption {
  int instances = 1;
  int64_t rows = 1;       // of a batch, at most
  Duration delay{};       // that a batch may wait for more rows, at most
  Duration execution{};   // of such a batch while all instances work; where that was not measured, at worst
  double rate = 0;        // rows a second that all sustain with the objective held, so expected
  double most = 0;        // that they do with the objective held where more come, and what would be late is refused
  double promise = 0;     // `most`, if what was not measured turns out well; the same where all was
  Duration p99{};         // expected, at the rate at which rows come now; Duration::max(): more come than it sustains
  bool holds = false;     // the objective
  bool measured = false;  // on executions with so many side by side
  /// Executions may take so many times what is expected of them: above 1 where that was not measured, or changed just
  /// now.
  double caution = 1;
};

/// How many instances a version should have.
struct InstanceChoice {
  int instances = 1;
  std::string reason;  // for people; empty: nothing changes
  ScalingReason kind = ScalingReason::kMeasured;
};

/// What a choice was made from.
struct InstanceOutlook {
  double arrivals = 0;  // rows a second that came lately, those that were refused too
  double share = 0;     // of the objective that is planned with
  InstanceOption current;
  std::vector<InstanceOption> options;  // by instances, ascending; `current` is one of them
  std::string last_change;              // of the batches or the instances, and why; empty: none
};

}  // namespace modelmill
