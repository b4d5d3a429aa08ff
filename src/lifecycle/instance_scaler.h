#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "catalog/instance_plan.h"
#include "catalog/instances.h"

namespace modelmill {

/// Decides how many instances a version has, from what those it has had to do. One for each version; asked at regular
/// intervals. Not synchronised; knows no clock.
///
/// It adds an instance when all were busy and requests waited twice in a row, unless what was measured says that it
/// would bring too little, looks whether more rows are done with it, and takes it away again where not (then that is
/// not tried for a while). It takes one away when the others have had little to do for long, and the last one after the
/// idle time, where that is allowed. Between the two lies room enough that it does not swing. Where a latency objective
/// chooses the number, it only keeps that within the limits, and sees to the first and the last.
class InstanceScaler {
 public:
  explicit InstanceScaler(const InstanceLimits& limits) : limits_(limits) {}

  struct Decision {
    int instances = 0;
    std::string reason;  // for people; empty: nothing changes
    ScalingReason kind = ScalingReason::kBusy;
  };
  /// `choice` is what an objective wants; null: there is none that goes by what was learned. `gain` is how many times
  /// the rows a second one instance more is expected to do; nullopt: nobody knows before it was tried.
  Decision observe(TimePoint now, const InstanceLoad& load, const InstanceChoice* choice = nullptr,
                   std::optional<double> gain = std::nullopt);
  /// What it decided on last could not be done: there are `instances`, and for a while no more.
  void held_back(TimePoint now, int instances);

  const InstanceLimits& limits() const { return limits_; }

 private:
  /// What was done since the last time.
  struct Span {
    double seconds = 0;
    double share = 0;  // of the instances' time that was busy
    double rate = 0;   // rows a second
  };
  static constexpr int kSaturatedTwice = 2;
  static constexpr int kJudgedOver = 4;
  static constexpr int kQuietFor = 20;

  Span since_last(TimePoint now, const InstanceLoad& load) const;
  Decision fewer_if_quiet(const InstanceLoad& load, const Span& span);
  Decision change(int instances, ScalingReason kind, std::string reason);

  const InstanceLimits limits_;
  bool seen_ = false;
  InstanceLoad last_;
  TimePoint last_time_{};
  TimePoint active_{};  // when it last had something to do

  int saturated_ = 0;      // times in a row
  double rate_sum_ = 0;    // of those times
  int quiet_ = 0;          // times in a row
  bool on_trial_ = false;  // the last instance has to show that it brings something
  double rate_before_ = 0;
  int ceiling_ = 0;  // 0: none
  TimePoint ceiling_until_{};
};

}  // namespace modelmill
