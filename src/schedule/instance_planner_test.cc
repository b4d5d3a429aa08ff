#include "schedule/instance_planner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "schedule/testing/measured_costs.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using testing::linear;
using testing::TimeOf;

constexpr Duration kTick = 250ms;

/// A version under a load, as the planner sees it: what comes beyond what its instances can do in the planned batches
/// is refused, and executions teach what `time` says of as many side by side as are needed.
class World {
 public:
  World(InstanceLimits limits, Duration objective, TimeOf time)
      : limits_(limits), time_(std::move(time)), costs_(32), planner_(policy(objective)) {
    instances_ = most_ = std::max(1, limits.min);
    for (int64_t rows = 1; rows <= 32; rows *= 2)
      for (int64_t i = 0; i < ConcurrencyCosts::kEnough; ++i) costs_.learn(1, rows, time_(rows, 1), now_);
    look();
  }

  /// Goes on for some ticks under so many rows a second.
  void run(int ticks, double arrivals) {
    for (int i = 0; i < ticks; ++i) {
      now_ += kTick;
      const int64_t rows = std::max<int64_t>(1, planner_.outlook().current.rows);
      const double able = instances_ * static_cast<double>(rows) / to_seconds(time_(rows, instances_));
      const double done = std::min(able, arrivals);
      const int side_by_side = std::max(1, static_cast<int>(std::lround(instances_ * done / able)));
      // What ran beside fewer is among it.
      for (int n = 1; n <= side_by_side; ++n)
        for (int e = 0; e < executions_; ++e) costs_.learn(n, rows, time_(rows, n), now_);
      counts_.rows_done += static_cast<int64_t>(done * to_seconds(kTick));
      counts_.rows_refused += static_cast<int64_t>((arrivals - done) * to_seconds(kTick));
      counts_.answered += static_cast<int64_t>(done * to_seconds(kTick));
      if (late_) counts_.late += static_cast<int64_t>(done * to_seconds(kTick) / 10);
      busy_ = arrivals > 0 ? instances_ : 0;
      look();
    }
  }

  int instances() const { return instances_; }
  int most() const { return most_; }
  const std::vector<InstanceChoice>& changes() const { return changes_; }
  std::string reason() const { return changes_.empty() ? "" : changes_.back().reason; }
  const InstanceOutlook& outlook() const { return planner_.outlook(); }
  void answers_come_late(bool late) { late_ = late; }
  void executions_of_a_tick(int executions) { executions_ = executions; }
  void becomes(TimeOf time) { time_ = std::move(time); }
  void client_says(InstanceLimits limits, int instances) { limits_ = limits, instances_ = instances; }

 private:
  static BatchPolicy policy(Duration objective) {
    BatchPolicy policy;
    policy.max_rows = 32;
    policy.objective = objective;
    return policy;
  }
  void look() {
    const auto choice = planner_.observe(now_, limits_, {instances_, busy_, counts_, 0.9}, costs_);
    if (choice.reason.empty()) {
      ASSERT_EQ(choice.instances, instances_);
      return;
    }
    ASSERT_NE(choice.instances, instances_) << choice.reason;
    ASSERT_GE(choice.instances, std::max(1, limits_.min));
    ASSERT_LE(choice.instances, limits_.max);
    changes_.push_back(choice);
    instances_ = choice.instances;
    most_ = std::max(most_, instances_);
  }

  InstanceLimits limits_;
  TimeOf time_;
  TimePoint now_ = testing::kMeasuredAt;
  ConcurrencyCosts costs_;
  InstancePlanner planner_;
  InstancePlanner::Counts counts_;
  int instances_ = 1, busy_ = 0, most_ = 1, executions_ = 20;
  bool late_ = false;
  std::vector<InstanceChoice> changes_;
};

struct PlannerCase {
  const char* name;
  InstanceLimits limits;
  Duration objective;
  TimeOf time;
  double arrivals;
  int instances;  // at the end
  int most;       // on the way
};

TEST(InstancePlanner, EndsAtTheBestNumberOfInstances) {
  const TimeOf shared_cores = linear(4ms, 50us, 1);
  const PlannerCase kPlannerCases[] = {
      {"one is enough", {1, 4, {}}, 40ms, linear(4ms, 50us), 1'000, 1, 1},
      {"each adds as much", {1, 4, {}}, 40ms, linear(4ms, 50us), 100'000, 4, 4},
      {"as many as are needed", {1, 8, {}}, 40ms, linear(4ms, 50us), 15'000, 3, 3},
      {"a second one brings nothing", {1, 4, {}}, 40ms, shared_cores, 100'000, 1, 2},
      {"the objective leaves no time to try", {1, 4, {}}, 15ms, linear(4ms, 50us), 100'000, 1, 1},
      {"two are worth it, three are not",
       {1, 4, {}},
       60ms,
       [](int64_t rows, int running) { return linear(4ms, 50us)(rows, 1) * std::max(2, running * 2 - 2) / 2; },
       100'000,
       2,
       3},
      {"no more than the limit", {1, 2, {}}, 40ms, linear(4ms, 50us), 100'000, 2, 2},
      {"no fewer than the limit", {2, 4, {}}, 40ms, linear(4ms, 50us), 10, 2, 2},
      {"what can't be held at all is not made worse", {1, 4, {}}, 5ms, linear(4ms, 50us), 100'000, 1, 1},
  };
  for (const PlannerCase& c : kPlannerCases) {
    SCOPED_TRACE(c.name);
    World world(c.limits, c.objective, c.time);
    world.run(200, c.arrivals);
    EXPECT_EQ(world.instances(), c.instances) << world.reason();
    EXPECT_EQ(world.most(), c.most);
    // It stays there.
    const size_t changes = world.changes().size();
    world.run(400, c.arrivals);
    EXPECT_EQ(world.changes().size(), changes) << world.reason();
  }
}

TEST(InstancePlanner, SaysWhy) {
  World world({1, 2, {}}, 40ms, linear(4ms, 50us, 1));
  world.run(100, 100'000);
  ASSERT_EQ(world.changes().size(), 2u);
  EXPECT_THAT(world.changes()[0].reason, HasSubstr("one more is tried: "));
  EXPECT_EQ(world.changes()[0].kind, ScalingReason::kTrial);
  EXPECT_EQ(world.changes()[1].kind, ScalingReason::kNoGain);
  EXPECT_THAT(world.changes()[0].reason, HasSubstr(" rows/s come, and 1 instance does up to "));
  EXPECT_THAT(world.changes()[1].reason, HasSubstr("measured: 2 instances do up to "));
  EXPECT_THAT(world.changes()[1].reason, HasSubstr(" within the objective in batches of at most "));
  EXPECT_THAT(world.outlook().last_change, HasSubstr("1 instance: measured: "));
}

TEST(InstancePlanner, ATrialEndsWhenAnswersComeLate) {
  World world({1, 2, {}}, 40ms, linear(4ms, 50us));
  world.executions_of_a_tick(2);  // so little that it is not known soon
  world.run(6, 100'000);
  ASSERT_EQ(world.instances(), 2) << world.reason();
  world.answers_come_late(true);
  world.run(1, 100'000);
  EXPECT_EQ(world.instances(), 1);
  EXPECT_THAT(world.reason(), HasSubstr("came late"));
  EXPECT_EQ(world.changes().back().kind, ScalingReason::kLate);
  world.answers_come_late(false);
  world.run(400, 100'000);
  EXPECT_EQ(world.changes().size(), 2u) << "not tried again for a while: " << world.reason();
  world.run(1'000, 100'000);
  EXPECT_EQ(world.instances(), 2) << "but then";
}

TEST(InstancePlanner, ATrialEndsWhenTheLoadGoes) {
  World world({1, 2, {}}, 40ms, linear(4ms, 50us));
  world.executions_of_a_tick(2);
  while (world.instances() == 1) world.run(1, 100'000);
  world.executions_of_a_tick(0);
  world.run(60, 0);
  EXPECT_EQ(world.instances(), 1);
  EXPECT_THAT(world.reason(), HasSubstr("the load went"));
  world.executions_of_a_tick(2);
  world.run(100, 100'000);
  EXPECT_EQ(world.instances(), 2) << "tried again: nothing was known of it";
}

TEST(InstancePlanner, WhatNobodyAskedForLongHasTheFewestInstances) {
  World world({2, 2, {}}, 40ms, linear(4ms, 50us));
  world.executions_of_a_tick(0);
  world.run(300, 0);
  ASSERT_EQ(world.instances(), 2);
  world.client_says({1, 2, {}}, 2);
  world.run(30, 0);
  EXPECT_EQ(world.instances(), 1);
  EXPECT_THAT(world.reason(), HasSubstr("one fewer is enough"));
}

TEST(InstancePlanner, UntilMuchIsKnownOfATrialItIsCareful) {
  World world({1, 2, {}}, 40ms, linear(4ms, 50us));
  EXPECT_EQ(world.outlook().current.caution, 1);
  world.executions_of_a_tick(2);
  while (world.instances() == 1) world.run(1, 100'000);
  EXPECT_GT(world.outlook().current.caution, 2);
  EXPECT_LE(world.outlook().current.execution * 2, 36ms);
  world.executions_of_a_tick(100);
  world.run(2, 100'000);
  EXPECT_EQ(world.outlook().current.caution, 1);
}

TEST(InstancePlanner, GoesBackWhenLessComes) {
  World world({1, 4, {}}, 40ms, linear(4ms, 50us));
  world.run(100, 100'000);
  EXPECT_EQ(world.instances(), 4);
  world.run(200, 100);
  EXPECT_EQ(world.instances(), 1);
  EXPECT_THAT(world.reason(), HasSubstr("one fewer is enough"));
}

TEST(InstancePlanner, DoesNotSwingAtAnyLoad) {
  for (double arrivals = 500; arrivals < 40'000; arrivals *= 1.07) {
    SCOPED_TRACE(arrivals);
    World world({1, 4, {}}, 40ms, linear(4ms, 50us, 0.2));
    world.run(300, arrivals);
    const size_t changes = world.changes().size();
    world.run(400, arrivals);
    EXPECT_EQ(world.changes().size(), changes) << world.reason();
  }
}

TEST(InstancePlanner, FollowsWhatIsMeasured) {
  World world({1, 2, {}}, 60ms, linear(4ms, 50us));
  world.run(100, 100'000);
  ASSERT_EQ(world.instances(), 2);
  // Something else takes a core: two side by side are slower than one by itself, which is seen when one is alone.
  world.becomes(linear(4ms, 50us, 1.5));
  world.run(400, 100'000);
  EXPECT_EQ(world.instances(), 1) << world.reason();
}

TEST(InstancePlanner, AClientsNumberEndsATrial) {
  World world({1, 4, {}}, 40ms, linear(4ms, 50us));
  while (world.instances() == 1) world.run(1, 100'000);
  world.client_says({3, 3, {}}, 3);
  world.run(100, 100'000);
  EXPECT_EQ(world.instances(), 3);
}

}  // namespace
}  // namespace modelmill
