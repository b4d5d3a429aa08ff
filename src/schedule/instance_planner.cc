#include "schedule/instance_planner.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "schedule/objective_plan.h"

namespace modelmill {
namespace {

/// A rate of arrivals is that of about so many seconds.
constexpr double kMemorySeconds = 1.5;
/// What comes is sustained up to so much of what can be.
constexpr double kFull = 0.95;
/// Other instances are worth changing to for so much more: the more of them, the more it has to be.
constexpr double kWorthAdding = 1.08;
constexpr double kWorthRemoving = 1.05;
/// One more is worth trying when it could bring so much more.
constexpr double kWorthTrying = 1.05;
/// One that was tried stays for so much more.
constexpr double kWorthKeeping = 1.03;
/// One fewer is enough when it is taken up by what comes no more than this.
constexpr double kEnoughRoom = 0.7;
/// The part of a trial's answers that may be late, and how few say nothing.
constexpr double kMayBeLate = 0.02;
constexpr int64_t kSomeLate = 3;
constexpr Duration kTryAgainAfter = std::chrono::minutes(5);
/// From one change by what was measured to the next; twice as long each time, until there was none for long.
constexpr Duration kFirstPatience = std::chrono::seconds(2);
constexpr Duration kForgiven = std::chrono::minutes(1);
/// Executions after which the curves that batches and admission go by have followed to another number of instances.
constexpr double kFollowed = 64;
/// Looks that larger batches are given before more instances are tried.
constexpr int kExplored = 4;

std::string rows_text(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, rate < 9.95 ? "%.1f" : "%.0f", rate);
  return std::string(text) + " rows/s";
}

std::string count_text(int instances) {
  return std::to_string(instances) + (instances == 1 ? " instance" : " instances");
}

std::string batch_text(int64_t rows) { return std::to_string(rows) + (rows == 1 ? " row" : " rows"); }

/// "2 instances do up to 410 rows/s within the objective in batches of at most 4 rows"
std::string able_text(const InstanceOption& option) {
  return count_text(option.instances) + (option.instances == 1 ? " does up to " : " do up to ") +
         rows_text(option.most) +
         (option.holds ? " within the objective in batches of at most " : ", but miss the objective, in batches of ") +
         batch_text(option.rows);
}

}  // namespace

void InstancePlanner::count(TimePoint now, const View& view) {
  const double seconds = to_seconds(now - last_time_);
  refused_ = late_ = false;
  if (seen_ && seconds > 0) {
    const Counts& c = view.counts;
    const int64_t came =
        c.rows_done + c.rows_refused + c.rows_waiting - last_.rows_done - last_.rows_refused - last_.rows_waiting;
    const double rate = std::max<double>(0, static_cast<double>(came)) / seconds;
    // At first the mean of all there was.
    seconds_ = std::min(seconds_ + seconds, kMemorySeconds);
    outlook_.arrivals += (rate - outlook_.arrivals) * std::min(1.0, seconds / seconds_);
    refused_ = c.rows_refused > last_.rows_refused;
    const int64_t late = c.late - last_.late;
    late_ =
        late >= kSomeLate && static_cast<double>(late) > kMayBeLate * static_cast<double>(c.answered - last_.answered);
  }
  seen_ = true;
  last_ = view.counts;
  last_time_ = now;
}

const InstanceOption* InstancePlanner::option(int instances) const {
  for (const InstanceOption& one : outlook_.options)
    if (one.instances == instances) return &one;
  return nullptr;
}

void InstancePlanner::choose_batches(const ConcurrencyCosts& costs, const PlanInputs& inputs, int instances) {
  const InstanceOption before = outlook_.current;
  const bool known = before.instances == instances && before.rate > 0;
  outlook_.current = best_option(policy_, costs, instances, inputs, known ? before.rows : 0);
  if (known && outlook_.current.rows == before.rows) return;
  outlook_.last_change = "batches of at most " + batch_text(outlook_.current.rows) + ": " + able_text(outlook_.current);
}

InstanceChoice InstancePlanner::change(int to, ScalingReason kind, std::string reason) {
  pressed_ = quiet_ = 0;
  outlook_.last_change = count_text(to) + ": " + reason;
  return {to, std::move(reason), kind};
}

/// Fewer at once. For more, batches and admission are held first to what executions may take beside more: what was let
/// in before is answered until then.
InstanceChoice InstancePlanner::move(TimePoint now, const InstanceOption& present, int to, ScalingReason kind,
                                     std::string reason) {
  if (to < present.instances) {
    slower_ = 1;
    return change(to, kind, std::move(reason));
  }
  const InstanceOption* more = option(to);
  move_ = {present.instances, to, !more->measured, std::move(reason), kind, now + policy_.objective, false, {}};
  return {present.instances, "", {}};
}

void InstancePlanner::try_one_more(TimePoint now, const InstanceOption& present, const InstanceLimits& limits) {
  const int to = present.instances + 1;
  const InstanceOption* more = option(to);
  if (to > limits.max || !more || more->measured || !more->holds || !present.measured) return;
  if (more->promise < kWorthTrying * present.most) return;
  if (const auto tried = tried_.find(to); tried != tried_.end() && now - tried->second < kTryAgainAfter) return;
  // Larger batches that were never seen come first: a few looks at what they bring.
  if (outlook_.current.rows > seen_rows_ && explored_++ < kExplored) return;
  explored_ = 0;
  tried_[to] = now;
  (void)move(now, present, to, ScalingReason::kTrial,
             "one more is tried: " + rows_text(outlook_.arrivals) + " come, and " + able_text(present));
}

InstanceChoice InstancePlanner::go_on(TimePoint now, const InstanceOption& present) {
  InstanceChoice stay{present.instances, "", {}};
  if (!move_.begun) {
    if (now < move_.begins) return stay;
    const Move begins = move_;
    move_.begun = true;
    move_.before = last_;
    if (!begins.trial) move_ = {};
    return change(begins.to, begins.kind, begins.reason);
  }
  const Move trial = move_;
  const int64_t late = last_.late - trial.before.late;
  const int64_t answered = last_.answered - trial.before.answered;
  if (late >= kSomeLate && static_cast<double>(late) > kMayBeLate * static_cast<double>(answered)) {
    move_ = {};
    return move(now, present, trial.from, ScalingReason::kLate,
                count_text(trial.to) + " were tried, and " + std::to_string(late) + " of " + std::to_string(answered) +
                    " answers came late");
  }
  const InstanceOption* before = option(trial.from);
  if (!present.measured) {
    // What it was tried for may be gone before enough was seen of it.
    if (!enough_for_long(before)) return stay;
    tried_.erase(trial.to);
    move_ = {};
    return move(now, present, trial.from, ScalingReason::kEnough,
                "the load went before more was known: " + rows_text(outlook_.arrivals) + " come");
  }
  move_ = {};
  if (!before || clearly_better(present, *before, kWorthKeeping)) return stay;
  return move(now, present, trial.from, ScalingReason::kNoGain,
              "measured: " + able_text(present) + ", and " + able_text(*before));
}

/// The best of those that were measured, if it is worth going there; null: none is.
const InstanceOption* InstancePlanner::best_measured(const InstanceOption& present,
                                                     const InstanceLimits& limits) const {
  const InstanceOption* best = nullptr;
  const auto enough = [this](const InstanceOption& one) { return one.holds && kFull * one.rate >= outlook_.arrivals; };
  for (const InstanceOption& one : outlook_.options) {
    if (one.instances == present.instances || !one.measured || one.instances < std::max(1, limits.min) ||
        one.instances > limits.max)
      continue;
    if (!clearly_better(one, present, one.instances > present.instances ? kWorthAdding : kWorthRemoving)) continue;
    if (!best || (!enough(*best) && clearly_better(one, *best, 1))) best = &one;
  }
  return best;
}

bool InstancePlanner::enough_for_long(const InstanceOption* fewer) {
  const bool enough = fewer && fewer->holds && outlook_.arrivals <= kEnoughRoom * fewer->rate;
  quiet_ = enough ? quiet_ + 1 : 0;
  return quiet_ >= kQuietFor;
}

InstanceChoice InstancePlanner::choose(TimePoint now, const InstanceOption& present, const View& view,
                                       const InstanceLimits& limits) {
  const double arrivals = outlook_.arrivals;
  const bool too_much = present.measured ? arrivals >= kFull * present.rate
                                         : view.counts.rows_waiting > 0 && view.busy >= present.instances;
  const bool pressed = refused_ || late_ || too_much || (!present.holds && arrivals > 0);
  pressed_ = pressed ? pressed_ + 1 : 0;
  if (pressed_ >= kPressedTwice) {
    const InstanceOption* best = best_measured(present, limits);
    if (!best) {
      try_one_more(now, present, limits);
    } else if (now - moved_ >= patience_) {
      // What goes to and fro does so ever more rarely.
      patience_ = now - moved_ > kForgiven ? kFirstPatience : std::min(2 * patience_, kTryAgainAfter);
      moved_ = now;
      return move(now, present, best->instances, ScalingReason::kMeasured,
                  rows_text(arrivals) + " come: " + able_text(*best) + ", and " + able_text(present));
    }
    return {present.instances, "", {}};
  }

  const InstanceOption* fewer = option(present.instances - 1);
  const bool may = !pressed && present.instances - 1 >= std::max(1, limits.min);
  if (enough_for_long(may ? fewer : nullptr))
    return move(now, present, fewer->instances, ScalingReason::kEnough,
                "one fewer is enough: " + rows_text(arrivals) + " come, and " + able_text(*fewer));
  return {present.instances, "", {}};
}

InstanceChoice InstancePlanner::observe(TimePoint now, const InstanceLimits& limits, const View& view,
                                        const ConcurrencyCosts& costs) {
  count(now, view);
  outlook_.share = view.share;
  // Somebody else changed the number.
  if (move_.from > 0 && view.instances != (move_.begun ? move_.to : move_.from)) move_ = {};
  if (!costs.known() || view.instances < 1) {
    outlook_.options.clear();
    return {view.instances, "", {}};
  }
  const PlanInputs inputs{now, outlook_.arrivals, view.share};
  outlook_.options = options_for(policy_, costs, view.instances, limits, inputs);
  const InstanceOption present = *option(view.instances);
  choose_batches(costs, inputs, view.instances);
  seen_rows_ = costs.largest_seen(now);
  InstanceChoice choice = move_.from > 0 ? go_on(now, present) : choose(now, present, view, limits);
  const bool prepares = move_.from > 0 && !move_.begun;
  const InstanceOption* next = option(prepares ? move_.to : choice.instances);
  if (next && next->instances != view.instances) {
    // Its batches, which the instances that there are may go on with for a moment.
    outlook_.current = *next;
    outlook_.current.delay = std::min(next->delay, present.delay);
    if (next->instances > view.instances) {
      const Duration before = costs.estimate(view.instances, next->rows, now).expected;
      slower_ = std::max(1.0, to_seconds(next->execution) / to_seconds(before));
      followed_from_ = costs.executions(next->instances, now);
    }
  }
  be_careful(costs, now);
  return choice;
}

/// Until the curves that batches and admission go by have followed to more instances.
void InstancePlanner::be_careful(const ConcurrencyCosts& costs, TimePoint now) {
  const int64_t executions = costs.executions(outlook_.current.instances, now);
  followed_from_ = std::min(followed_from_, executions);  // what was known was forgotten
  const double followed = static_cast<double>(executions - followed_from_) / kFollowed;
  if (followed >= 1) slower_ = 1;
  outlook_.current.caution = std::max(outlook_.current.caution, 1 + (slower_ - 1) * (1 - std::min(1.0, followed)));
}

}  // namespace modelmill
