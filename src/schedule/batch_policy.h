#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "base/clock.h"
#include "catalog/version_stats.h"
#include "model/definition.h"
#include "schedule/cost_curve.h"

namespace modelmill {

/// Requests that may share a batch, oldest first: as many as fit into one, and the next one too when that does not fit.
struct QueueView {
  std::span<const int64_t> rows;        // of each request
  TimePoint oldest{};                   // when the first was queued
  TimePoint nearest_deadline = kNever;  // of any of them
  bool alone = true;                    // nothing that can't share a batch with them waits
};

/// The instances that could run a batch now.
struct InstanceView {
  int idle = 0;
  InstanceGroup::Kind kind = InstanceGroup::Kind::kCpu;  // of the one that asks
};

class ArrivalForecast;

/// What is known of the version's load. Only an objective asks for the first four.
struct LoadView {
  double arrivals = 0;                                      // rows that come in a second, about; 0: not known
  double share = 0.9;                                       // of an objective that may be planned with
  int64_t most_rows = std::numeric_limits<int64_t>::max();  // of a batch, as planned for the number of instances
  Duration most_wait = Duration::max();                     // of its oldest request for more, likewise
  const ArrivalForecast* forecast = nullptr;  // without an objective: what is about to come; null: that is not known
  int64_t running_rows = 0;                   // of all batches that run
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
  int64_t goal = 0;  // kWait: so many rows end it before. kCut: so many were waited for in vain; 0: none were
};

/// What is known of a version when its batches are cut.
struct BatchPolicy {
  /// Rows of a batch, at most; a larger request that can't be split runs alone, and at 1 every request does.
  int64_t max_rows = 1;
  /// Sizes worth stopping at, ascending, none above max_rows. Empty: only max_rows.
  std::vector<int64_t> preferred;
  /// Sizes that batches are filled up to, ascending; the last is max_rows. Empty: none are.
  std::vector<int64_t> allowed;
  /// How long the oldest request may be held back for more to come, as the user has said. 0: work-conserving.
  Duration max_delay{};
  /// The p99 of a request's time in the server that is to be held; 0: none.
  Duration objective{};

  static BatchPolicy from(const BatchingDefinition& batching, int64_t max_rows);

  /// The user has said how batches are to be made; then what was learned does not count, but for what filling up costs.
  bool by_hand() const {
    return max_delay > Duration{} || !preferred.empty() || (!allowed.empty() && objective == Duration{});
  }
  /// An idle instance takes what there is, at once or a moment later.
  bool work_conserving() const { return !by_hand() && objective == Duration{}; }
  /// The rows that a batch of so many is filled up to: TF Serving's allowed_batch_sizes.
  int64_t filled(int64_t rows) const;
  /// The fewest rows that can end a wait by hand.
  int64_t smallest_goal() const { return preferred.empty() ? max_rows : preferred.front(); }
};

/// `policy` where an idle instance takes what there is at once.
BatchPolicy without_waits(BatchPolicy policy);

/// Decides over one kind of requests. A pure function; `cost` is what was learned of their kind, null or unknown:
/// nothing.
///
/// By default an idle instance takes what there is, but no more rows than are worth running together, and several idle
/// instances share it where that is so much faster that it is worth its processor time (the product of both is the
/// least). Where more rows together are cheaper and the ones that follow are about to come, by the load's forecast, it
/// waits for them for a moment: a part of the time that the batch itself will take. With an objective batches are no
/// larger than it allows, and where more rows together are cheaper and enough of them are about to come, the batch
/// waits for them for as long as leaves it time. With preferred sizes and a delay it is as Triton defines it: the
/// largest preferred size that can be made is cut at once; without one, requests are held back until the oldest has
/// waited for max_delay or a full batch is there. A request whose deadline comes before the wait would be over is not
/// gambled with: its batch is cut now.
///
/// Batches that are filled up cost what they are filled up to. One that would be is cut at an allowed size before,
/// where that size and the rest by itself are cheaper.
BatchDecision decide(const BatchPolicy& policy, TimePoint now, const QueueView& queue, const InstanceView& instances,
                     const CostCurve* cost = nullptr, const LoadView& load = {});

}  // namespace modelmill
