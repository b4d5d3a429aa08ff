// What a version's batches and instances are planned with: its load, and its objective.
#include <algorithm>
#include <limits>
#include <string>
#include <utility>

#include "base/log.h"
#include "catalog/shape_class.h"
#include "request/background.h"
#include "schedule/admission.h"
#include "schedule/instance_gain.h"
#include "schedule/lane.h"
#include "schedule/version_scheduler.h"

namespace modelmill {

std::optional<InstanceChoice> VersionScheduler::choose_instances(const InstanceLimits& limits) {
  // What is batched by hand, or has one instance that runs everything, is not for an objective to choose.
  if (policy_.objective == Duration{} || policy_.by_hand() || !cost_aware_ || plan_.concurrent_execute ||
      !plan_.make_instance)
    return std::nullopt;
  const TimePoint now = time_.now();
  InstancePlanner::View view;
  ConcurrencyCosts costs(policy_.max_rows);
  {
    const MutexLock lock(mutex_);
    if (!chooses_) {
      chooses_ = true;
      measure_from(now);
      if (const CostCurve* known = costs_.find(kind_, 0)) levels_.seed(known->points(), now);
    }
    counts_.rows_done = rows_done_;
    counts_.rows_waiting = queue_.rows();
    view = {static_cast<int>(seats_.size()), running_, counts_, share_.value()};
    costs = levels_;
  }
  planned_ = true;
  const InstanceChoice choice = planner_.observe(now, limits, view, costs);
  const InstanceOutlook& outlook = planner_.outlook();
  stats().planned(outlook.current.rate > 0 ? &outlook.current : nullptr);
  if (outlook.last_change != told_ && choice.reason.empty())
    Log::debug("batches are planned anew",
               {{"model", name()}, {"version", version()}, {"reason", outlook.last_change}});
  told_ = outlook.last_change;
  const MutexLock lock(mutex_);
  outlook_ = outlook;
  plan_now_ = outlook.current;
  return choice;
}

void VersionScheduler::measure_from(TimePoint now) {
  if (std::exchange(measures_, true)) return;
  meter_.change(running_, now);
}

std::optional<double> VersionScheduler::gain_of_another() {
  // One instance that runs everything, or a number that is fixed, leaves nothing to ask.
  if (!cost_aware_ || plan_.concurrent_execute || !plan_.make_instance) return std::nullopt;
  const TimePoint now = time_.now();
  const MutexLock lock(mutex_);
  measure_from(now);
  return measured_gain(now);
}

/// With batches as large as there were lately.
std::optional<double> VersionScheduler::measured_gain(TimePoint now) const {
  if (!measures_) return std::nullopt;
  return modelmill::gain_of_another(levels_, static_cast<int>(seats_.size()),
                                    std::max<int64_t>(1, levels_.largest_seen(now)), now);
}

LoadView VersionScheduler::load_view(TimePoint now) const {
  if (gathers_) return {.forecast = &forecast_, .running_rows = running_rows_};
  if (policy_.objective == Duration{}) return {};
  LoadView view{arrivals_.at(now), share_.value() / plan_now_.caution};
  view.most_rows = planned_rows();
  if (plan_now_.rate > 0) view.most_wait = plan_now_.delay;
  return view;
}

/// Refuses what can't be answered in time.
Status VersionScheduler::in_time(const InferRequest& request, int64_t rows) const {
  if (!cost_aware_ || (policy_.objective == Duration{} && request.deadline == kNever)) return ok_status();
  if (!idle_.empty() || (looking_ > 0 && queue_.empty())) return ok_status();
  const uint64_t shape_class = by_shape_ ? shape_class_hash(request) : 0;
  const CostCurve* cost = costs_.find(kind_, shape_class);
  // What begins such a request has the rest of its rows to wait for.
  const int64_t before = queue_.rows_before(request) + rows - request.batch_rows;
  const WorkAhead ahead{before, lanes_, static_cast<int>(idle_.size())};
  const Admission admission = admit(policy_, ahead, cost, request.times.queued, request.deadline,
                                    share_.value() / plan_now_.caution, planned_rows());
  const auto microseconds = [](Duration d) { return std::to_string(to_ns(d) / 1'000) + " us"; };
  if (is_background(request) && admission.verdict != Admission::Verdict::kAdmitted)
    return resource_exhausted("model '" + name() + "' would answer in about " + microseconds(admission.expected) +
                              ", which is too late");
  switch (admission.verdict) {
    case Admission::Verdict::kAdmitted: return ok_status();
    case Admission::Verdict::kMissesDeadline:
      return deadline_exceeded("model '" + name() + "' would answer in about " + microseconds(admission.expected) +
                               ", after the request's deadline; give it more time, or try again later");
    case Admission::Verdict::kMissesObjective:
      return unavailable("model '" + name() + "' would answer in about " + microseconds(admission.expected) +
                         ", later than its objective of " + microseconds(policy_.objective) +
                         " allows; try again later");
  }
  return ok_status();
}

/// So many rows, of one request, are in the queue since now.
void VersionScheduler::note_arrival(int64_t rows, TimePoint now) {
  if (gathers_) forecast_.arrived(rows, queue_.last_class(), queue_.rows() + running_rows_, now);
  if (policy_.objective > Duration{}) arrivals_.add(rows, now);
}

/// A batch was cut that may have waited for more.
void VersionScheduler::note_gathered(const RequestQueue::Next& next) {
  const bool in_vain = next.decision.goal > 0;
  if (in_vain) forecast_.missed(queue_.rows() + running_rows_);
  if (waited_for_more_) ++gathering_.batches;
  if (waited_for_more_ && in_vain) ++gathering_.in_vain;
  waited_for_more_ = false;
}

/// Of a batch, at most.
int64_t VersionScheduler::planned_rows() const {
  return plan_now_.rate > 0 ? plan_now_.rows : std::numeric_limits<int64_t>::max();
}

/// One more runs, the lane's.
void VersionScheduler::note_begin(Lane& lane, TimePoint now) {
  meter_.change(running_, now);
  lane.mark = meter_.mark(now);
}

/// One fewer will run.
void VersionScheduler::note_end(const Lane& lane, TimePoint now) {
  // It may have begun before this was counted.
  if (lane.mark.at >= lane.start && lane.failed.all.load(std::memory_order_relaxed) == 0)
    levels_.learn(meter_.mean_since(lane.mark, now), lane.rows, now - lane.start, now);
  meter_.change(running_ - 1, now);
  if (lane.background) return;
  counts_.answered += lane.requests;
  counts_.late += lane.late.load(std::memory_order_relaxed);
}

void VersionScheduler::note_dropped(const std::vector<RequestQueue::Dropped>& dropped) {
  for (const auto& [request, status] : dropped)
    if (status.code() == Code::kUnavailable) counts_.rows_refused += request->batch_rows;
}

}  // namespace modelmill
