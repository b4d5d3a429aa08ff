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
/// Smaller batches are worth changing to for so much more.
constexpr double kWorthRows = 1.05;
/// Larger ones have to hold the objective with so much of the share that may be planned with.
constexpr double kWithRoom = 0.95;
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

/// "2 instances do 410 rows/s within the objective in batches of at most 4 rows"
std::string able_text(const InstanceOption& option) {
  return count_text(option.instances) + (option.instances == 1 ? " does " : " do ") + rows_text(option.rate) +
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

/// Batches stay as they are unless larger ones hold the objective with room to spare, or others are clearly better.
void InstancePlanner::choose_batches(const ConcurrencyCosts& costs, const PlanInputs& inputs,
                                     const InstanceOption& present) {
  const InstanceOption before = outlook_.current;
  PlanInputs careful = inputs;
  careful.share *= kWithRoom;
  const int64_t larger = best_option(policy_, costs, present.instances, careful).rows;
  outlook_.current = present;
  if (before.instances == present.instances && before.rate > 0) {
    const InstanceOption as_before = option_with(policy_, costs, present.instances, before.rows, inputs);
    if (larger > before.rows) {
      outlook_.current = option_with(policy_, costs, present.instances, larger, inputs);
    } else if (!clearly_better(present, as_before, kWorthRows)) {
      outlook_.current = as_before;
    }
    if (outlook_.current.rows == before.rows) return;
  }
  outlook_.last_change = "batches of at most " + batch_text(outlook_.current.rows) + ": " + able_text(outlook_.current);
}

InstanceChoice InstancePlanner::change(int to, std::string reason) {
  pressed_ = quiet_ = 0;
  outlook_.last_change = count_text(to) + ": " + reason;
  return {to, std::move(reason)};
}

InstanceChoice InstancePlanner::judge_trial(const InstanceOption& present, const View& view) {
  const Trial trial = trial_;
  const int64_t late = view.counts.late - trial.begin.late;
  const int64_t answered = view.counts.answered - trial.begin.answered;
  if (late >= kSomeLate && static_cast<double>(late) > kMayBeLate * static_cast<double>(answered)) {
    trial_ = {};
    return change(trial.from, count_text(trial.to) + " were tried, and " + std::to_string(late) + " of " +
                                  std::to_string(answered) + " answers came late");
  }
  if (!present.measured) return {present.instances, ""};
  trial_ = {};
  const InstanceOption* before = option(trial.from);
  if (!before || clearly_better(present, *before, kWorthKeeping)) return {present.instances, ""};
  return change(trial.from, "measured: " + able_text(present) + ", and " + able_text(*before));
}

InstanceChoice InstancePlanner::try_one_more(TimePoint now, const InstanceOption& present,
                                             const InstanceLimits& limits) {
  const int to = present.instances + 1;
  const InstanceOption* more = option(to);
  if (to > limits.max || !more || more->measured || !more->holds || !present.measured) return {present.instances, ""};
  if (more->promise < kWorthChanging * present.rate) return {present.instances, ""};
  if (const auto tried = tried_.find(to); tried != tried_.end() && now - tried->second < kTryAgainAfter)
    return {present.instances, ""};
  tried_[to] = now;
  trial_ = {present.instances, to, last_};
  return change(to, "one more is tried: " + rows_text(outlook_.arrivals) + " come, and " + able_text(present));
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
    return try_one_more(now, present, limits);
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
  if (trial_.from > 0 && view.instances != trial_.to) trial_ = {};
  if (!costs.known() || view.instances < 1) {
    outlook_.options.clear();
    return {view.instances, ""};
  }
  const PlanInputs inputs{now, outlook_.arrivals, view.share};
  outlook_.options = options_for(policy_, costs, view.instances, limits, inputs);
  const InstanceOption present = *option(view.instances);
  choose_batches(costs, inputs, present);
  const InstanceChoice choice =
      trial_.from > 0 ? judge_trial(present, view) : choose(now, present, view, limits);
  // The batches of the instances that there will be; those there are may go on with them for a moment.
  if (choice.instances != view.instances)
    if (const InstanceOption* next = option(choice.instances)) {
      const Duration delay = std::min(next->delay, present.delay);
      outlook_.current = *next;
      outlook_.current.delay = delay;
    }
  return choice;
}

}  // namespace modelmill
