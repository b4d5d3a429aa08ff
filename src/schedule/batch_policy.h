#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/clock.h"
#include "catalog/version_stats.h"
#include "model/definition.h"

namespace modelmill {

/// Requests that may share a batch, oldest first: as many as fit into one, and the next one too when that does not fit.
struct QueueView {
  std::span<const int64_t> rows;        // of each request
  TimePoint oldest{};                   // when the first was queued
  TimePoint nearest_deadline = kNever;  // of any of them
};

/// The instances that could run a batch now.
struct InstanceView {
  int idle = 0;
};

/// What to do with the queue.
struct BatchDecision {
  enum class Action {
    kNothing,  // until something changes
    kWait,     // ask again at `until`, or when something changes
    kCut,      // the first `requests`, because of `reason`
  };
  Action action = Action::kNothing;
  size_t requests = 0;
  CutReason reason = CutReason::kIdleInstance;
  TimePoint until = kNever;
};

/// What is known of a version when its batches are cut.
struct BatchPolicy {
  /// Rows of a batch, at most; a larger request runs alone, and at 1 every request does.
  int64_t max_rows = 1;
  /// Sizes worth stopping at, ascending, none above max_rows. Empty: only max_rows.
  std::vector<int64_t> preferred;
  /// How long the oldest request may be held back for more to come. 0: work-conserving.
  Duration max_delay{};

  static BatchPolicy from(const BatchingDefinition& batching, int64_t max_rows);

  bool work_conserving() const { return max_delay == Duration{} && preferred.empty(); }
  /// The fewest rows that can end a wait.
  int64_t smallest_goal() const { return preferred.empty() ? max_rows : preferred.front(); }
};

/// Decides over one kind of requests. A pure function.
///
/// By default an idle instance takes what there is. With preferred sizes and a delay it is as Triton defines it: the
/// largest preferred size that can be made is cut at once; without one, requests are held back until the oldest has
/// waited for max_delay or a full batch is there. A request whose deadline comes before the wait would be over is not
/// gambled with: its batch is cut now.
BatchDecision decide(const BatchPolicy& policy, TimePoint now, const QueueView& queue, const InstanceView& instances);

}  // namespace modelmill
