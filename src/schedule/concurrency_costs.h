#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "base/clock.h"
#include "catalog/learned_cost.h"
#include "schedule/cost_curve.h"

namespace modelmill {

/// What executions cost while so many run side by side, of all kinds of instances and shapes together: cores, caches
/// and memory are shared, so that two are anything from as fast as one to half as fast. A curve for each number of
/// executions at a time, learned from those that ran so; what was seen too long ago is as if it had not been. Copied
/// by who plans with it. Not synchronised; knows no clock.
class ConcurrencyCosts {
 public:
  /// Executions that say what a number of them side by side costs.
  static constexpr int64_t kEnough = 16;
  /// What was learned longer ago than this doesn't count.
  static constexpr Duration kForgottenAfter = std::chrono::minutes(1);
  static constexpr size_t kMostLevels = 64;

  explicit ConcurrencyCosts(int64_t max_rows) : max_rows_(max_rows) {}

  /// What is known of executions alone from before.
  void seed(std::span<const CostPoint> alone, TimePoint now);
  /// An execution of `rows` rows took `time` until now; so many ran meanwhile on average, itself among them. Teaches
  /// only where that was about the same number all the time.
  void learn(double running, int64_t rows, Duration time, TimePoint now);

  /// Anything.
  bool known() const { return !levels_.empty(); }
  /// Enough, and lately.
  bool measured(int running, TimePoint now) const;
  /// The numbers of executions side by side that are measured.
  std::vector<int> measured_levels(TimePoint now) const;
  /// Executions with so many side by side that still count.
  int64_t executions(int running, TimePoint now) const;

  /// The most rows of an execution that still counts.
  int64_t largest_seen(TimePoint now) const;

  struct Estimate {
    Duration expected{};  // if what was not measured turns out well
    Duration worst{};     // if it does not; the same where it was measured
    Duration p99{};       // beside `worst`
    bool measured = false;
  };
  /// Of an execution of so many rows beside `running - 1` others. Where that was not measured, by the nearest number
  /// that was: fewer take at worst as long, and more at worst so much longer that a little is lost by them. Only when
  /// known().
  Estimate estimate(int running, int64_t rows, TimePoint now) const;

 private:
  struct Level {
    CostCurve curve;
    int64_t executions = 0;
    TimePoint seen{};
    double largest = 1;  // rows that were seen
  };
  using Levels = std::map<int, Level>;

  bool counts(const Level& level, TimePoint now) const;
  Levels::const_iterator nearest(int running, TimePoint now) const;
  /// The time, or with `tail` its p99, on a level.
  Duration at(const Level& level, int64_t rows, bool tail, TimePoint now) const;

  int64_t max_rows_;
  Levels levels_;  // by how many run side by side
};

}  // namespace modelmill
