#pragma once

#include <cstdint>
#include <limits>

#include "base/clock.h"
#include "schedule/batch_policy.h"
#include "schedule/cost_curve.h"

namespace modelmill {

/// What is in front of a request that has just come.
struct WorkAhead {
  int64_t rows = 0;  // that wait
  int lanes = 0;     // executions that can run side by side
  int idle = 0;      // of them
};

/// Whether a request can be answered in time.
struct Admission {
  enum class Verdict {
    kAdmitted,
    kMissesDeadline,
    kMissesObjective,
  };
  Verdict verdict = Verdict::kAdmitted;
  Duration expected{};  // from now to its answer; when it is not admitted
};

/// Refuses early what can't be done in time: by the learned cost, the rows in front run in batches as large as pays on
/// all lanes, and then the request's own; none has more than `most_rows`. Of an objective the `share` may be used that
/// may be planned with. What finds an idle lane, and what nothing is known of, is admitted; so is all where even a lone
/// request takes more than half of the objective, for then refusing would not help anybody. A pure function.
Admission admit(const BatchPolicy& policy, const WorkAhead& ahead, const CostCurve* cost, TimePoint now,
                TimePoint deadline, double share, int64_t most_rows = std::numeric_limits<int64_t>::max());

/// Requests that were queued before this can't be answered within the objective any more; TimePoint::min() where
/// there is none, or it can't be held at all.
TimePoint too_late_before(const BatchPolicy& policy, const CostCurve* cost, TimePoint now);

}  // namespace modelmill
