#include "lifecycle/instance_scaler.h"

#include <algorithm>

namespace modelmill {
namespace {

constexpr double kBusy = 0.9;
/// The others must be so little busy without one that it may go.
constexpr double kEnoughRoom = 0.6;
constexpr Duration kTryMoreAgainAfter = std::chrono::minutes(5);
/// What stands in the way of an instance may soon have gone.
constexpr Duration kHeldBackFor = std::chrono::seconds(10);

}  // namespace

InstanceScaler::Span InstanceScaler::since_last(TimePoint now, const InstanceLoad& load) const {
  Span span;
  span.seconds = to_seconds(now - last_time_);
  if (!seen_ || span.seconds <= 0) return {};
  span.rate = static_cast<double>(load.rows - last_.rows) / span.seconds;
  if (load.instances > 0) span.share = to_seconds(load.busy_time - last_.busy_time) / span.seconds / load.instances;
  return span;
}

InstanceScaler::Decision InstanceScaler::change(int instances, ScalingReason kind, std::string reason) {
  saturated_ = quiet_ = 0;
  rate_sum_ = 0;
  return {instances, std::move(reason), kind};
}

InstanceScaler::Decision InstanceScaler::observe(TimePoint now, const InstanceLoad& load, const InstanceChoice* choice,
                                                 std::optional<double> gain) {
  const Span span = since_last(now, load);
  const bool first = !seen_;
  const bool active = first || load.pending > 0 || load.busy > 0 || load.rows != last_.rows;
  if (active) active_ = now;
  seen_ = true;
  last_ = load;
  last_time_ = now;
  const int n = load.instances;
  if (n == 0) {
    if (load.pending > 0) return change(std::max(1, limits_.min), ScalingReason::kRequest, "a request waits");
    return {0, "", {}};
  }
  if (n < limits_.min) return change(limits_.min, ScalingReason::kLimits, "fewer than the least that is configured");
  if (n > limits_.max) return change(limits_.max, ScalingReason::kLimits, "more than the most that is configured");
  if (first) return {n, "", {}};

  if (limits_.min == 0 && limits_.zero_after > Duration{} && now - active_ >= limits_.zero_after) {
    on_trial_ = false;
    return change(0, ScalingReason::kIdle, "nothing to do for the time after which it may go");
  }
  if (ceiling_ > 0 && now >= ceiling_until_) ceiling_ = 0;
  const int most = ceiling_ > 0 ? std::min(limits_.max, ceiling_) : limits_.max;
  if (choice) {
    on_trial_ = false;
    const int chosen = std::min(std::max({choice->instances, limits_.min, 1}), most);
    if (choice->reason.empty() || chosen == n) return {n, "", {}};
    const bool cut_down = chosen < n && choice->instances >= n;
    return change(chosen, cut_down ? ScalingReason::kLimits : choice->kind, choice->reason);
  }
  // A long execution is counted when it ends; until then it shows as busy.
  const bool saturated = load.pending > 0 && (span.share >= kBusy || load.busy >= n);
  if (saturated) {
    ++saturated_;
    rate_sum_ += span.rate;
  } else {
    saturated_ = 0;
    rate_sum_ = 0;
  }
  const double rate = saturated_ > 0 ? rate_sum_ / saturated_ : 0;
  if (on_trial_ && saturated_ >= kJudgedOver) {
    on_trial_ = false;
    if (rate < kInstanceWorthHaving * rate_before_) {
      ceiling_ = n - 1;
      ceiling_until_ = now + kTryMoreAgainAfter;
      if (n - 1 >= std::max(1, limits_.min)) return change(n - 1, ScalingReason::kNoGain, "one more brought nothing");
      return {n, "", {}};
    }
  }
  if (saturated_ >= kSaturatedTwice && !on_trial_ && n < most &&
      gain.value_or(kInstanceWorthHaving) >= kInstanceWorthHaving) {
    on_trial_ = true;
    rate_before_ = rate;
    return change(n + 1, ScalingReason::kBusy, "all were busy and requests waited");
  }
  return fewer_if_quiet(load, span);
}

InstanceScaler::Decision InstanceScaler::fewer_if_quiet(const InstanceLoad& load, const Span& span) {
  const int n = load.instances;
  const bool quiet = load.pending == 0 && n > std::max(1, limits_.min) && span.share * n < kEnoughRoom * (n - 1);
  quiet_ = quiet ? quiet_ + 1 : 0;
  if (quiet_ < kQuietFor) return {n, "", {}};
  on_trial_ = false;
  return change(n - 1, ScalingReason::kEnough, "one fewer is enough");
}

void InstanceScaler::held_back(TimePoint now, int instances) {
  on_trial_ = false;
  saturated_ = 0;
  rate_sum_ = 0;
  if (instances == 0) return;
  ceiling_ = instances;
  ceiling_until_ = now + kHeldBackFor;
}

}  // namespace modelmill
