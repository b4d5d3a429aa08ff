#include "schedule/instance_planner.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

#include "schedule/objective_plan.h"

namespace modelmill {
namespace {

/// A rate of arrivals is that of about so many seconds.
constexpr double kMemorySeconds = 1.5;
/// What comes is sustained up to so much of what can be.
constexpr double kFull = 0.95;
/// Another number of instances is worth changing to for so much more.
constexpr double kWorthChanging = 1.05;
/// One that was tried stays for so much more.
constexpr double kWorthKeeping = 1.03;
/// One fewer is enough when it is taken up by what comes no more than this.
constexpr double kEnoughRoom = 0.7;
/// The part of a trial's answers that may be late, and how few say nothing.
constexpr double kMayBeLate = 0.02;
constexpr int64_t kSomeLate = 3;
constexpr Duration kTryAgainAfter = std::chrono::minutes(5);

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
    const int64_t came = c.rows_done + c.rows_refused + c.rows_waiting - last_.rows_done - last_.rows_refused -
                         last_.rows_waiting;
    const double rate = std::max<double>(0, static_cast<double>(came)) / seconds;
    // At first the mean of all there was.
    seconds_ = std::min(seconds_ + seconds, kMemorySeconds);
    outlook_.arrivals += (rate - outlook_.arrivals) * std::min(1.0, seconds / seconds_);
    refused_ = c.rows_refused > last_.rows_refused;
    const int64_t late = c.late - last_.late;
    late_ = late >= kSomeLate && static_cast<double>(late) > kMayBeLate * static_cast<double>(c.answered - last_.answered);
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
  outlook_.last_change =
      "batches of at most " + batch_text(outlook_.current.rows) + ": " + able_text(outlook_.current);
}

InstanceChoice InstancePlanner::change(int to, std::string reason) {
  pressed_ = quiet_ = 0;
  outlook_.last_change = count_text(to) + ": " + reason;
  return {to, std::move(reason)};
}

void InstancePlanner::prepare_trial(TimePoint now, const InstanceOption& present, const InstanceLimits& limits) {
  const int to = present.instances + 1;
  const InstanceOption* more = option(to);
  if (to > limits.max || !more || more->measured || !more->holds || !present.measured) return;
  if (more->promise < kWorthChanging * present.most) return;
  if (const auto tried = tried_.find(to); tried != tried_.end() && now - tried->second < kTryAgainAfter) return;
  tried_[to] = now;
  // What was let in before is answered by then.
  trial_ = {present.instances, to, now + policy_.objective, false, {}};
}

InstanceChoice InstancePlanner::go_on_trying(TimePoint now, const InstanceOption& present) {
  const InstanceChoice stay{present.instances, ""};
  const Trial trial = trial_;
  if (!trial.begun) {
    if (now < trial.begins) return stay;
    trial_.begun = true;
    trial_.before = last_;
    return change(trial.to, "one more is tried: " + rows_text(outlook_.arrivals) + " come, and " + able_text(present));
  }
  const int64_t late = last_.late - trial.before.late;
  const int64_t answered = last_.answered - trial.before.answered;
  if (late >= kSomeLate && static_cast<double>(late) > kMayBeLate * static_cast<double>(answered)) {
    trial_ = {};
    return change(trial.from, count_text(trial.to) + " were tried, and " + std::to_string(late) + " of " +
                                  std::to_string(answered) + " answers came late");
  }
  if (!present.measured) return stay;
  trial_ = {};
  const InstanceOption* before = option(trial.from);
  if (!before || clearly_better(present, *before, kWorthKeeping)) return stay;
  return change(trial.from, "measured: " + able_text(present) + ", and " + able_text(*before));
}

InstanceChoice InstancePlanner::choose(TimePoint now, const InstanceOption& present, const View& view,
                                       const InstanceLimits& limits) {
  const double arrivals = outlook_.arrivals;
  const bool too_much = present.measured ? arrivals >= kFull * present.rate
                                         : view.counts.rows_waiting > 0 && view.busy >= present.instances;
  const bool pressed = refused_ || late_ || too_much || (!present.holds && arrivals > 0);
  pressed_ = pressed ? pressed_ + 1 : 0;
  if (pressed_ >= kPressedTwice) {
    const InstanceOption* best = nullptr;
    const auto enough = [arrivals](const InstanceOption& one) { return one.holds && kFull * one.rate >= arrivals; };
    for (const InstanceOption& one : outlook_.options) {
      if (one.instances == present.instances || !one.measured || one.instances < std::max(1, limits.min) ||
          one.instances > limits.max || !clearly_better(one, present, kWorthChanging))
        continue;
      if (!best || (!enough(*best) && clearly_better(one, *best, 1))) best = &one;
    }
    if (best)
      return change(best->instances, rows_text(arrivals) + " come: " + able_text(*best) + ", and " + able_text(present));
    prepare_trial(now, present, limits);
    return {present.instances, ""};
  }

  const InstanceOption* fewer = option(present.instances - 1);
  const bool quiet = !pressed && fewer && fewer->holds && fewer->instances >= std::max(1, limits.min) &&
                     arrivals <= kEnoughRoom * fewer->rate;
  quiet_ = quiet ? quiet_ + 1 : 0;
  if (quiet_ >= kQuietFor)
    return change(fewer->instances, "one fewer is enough: " + rows_text(arrivals) + " come, and " + able_text(*fewer));
  return {present.instances, ""};
}

InstanceChoice InstancePlanner::observe(TimePoint now, const InstanceLimits& limits, const View& view,
                                        const ConcurrencyCosts& costs) {
  count(now, view);
  outlook_.share = view.share;
  // Somebody else changed the number.
  if (trial_.from > 0 && view.instances != (trial_.begun ? trial_.to : trial_.from)) trial_ = {};
  if (!costs.known() || view.instances < 1) {
    outlook_.options.clear();
    return {view.instances, ""};
  }
  const PlanInputs inputs{now, outlook_.arrivals, view.share};
  outlook_.options = options_for(policy_, costs, view.instances, limits, inputs);
  const InstanceOption present = *option(view.instances);
  choose_batches(costs, inputs, view.instances);
  const InstanceChoice choice =
      trial_.from > 0 ? go_on_trying(now, present) : choose(now, present, view, limits);
  const bool prepares = trial_.from > 0 && !trial_.begun;
  if (const InstanceOption* next = option(prepares ? trial_.to : choice.instances);
      next && next->instances != view.instances) {
    // Its batches, which the instances that there are may go on with for a moment.
    outlook_.current = *next;
    outlook_.current.delay = std::min(next->delay, present.delay);
  }
  return choice;
}

}  // namespace modelmill
