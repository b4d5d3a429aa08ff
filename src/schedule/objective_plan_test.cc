#include "schedule/objective_plan.h"

#include <gtest/gtest.h>

#include <map>

#include "schedule/testing/measured_costs.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::kMeasuredAt;
using testing::linear;
using testing::measured_costs;
using testing::TimeOf;

BatchPolicy policy_of(Duration objective, int64_t max_rows = 32) {
  BatchPolicy policy;
  policy.max_rows = max_rows;
  policy.objective = objective;
  return policy;
}

/// A convolution net whose rows cost more together; so it was measured with two instances of one thread on two cores.
Duration cnn(int64_t rows, int running) {
  static const std::map<int64_t, Duration> kTimes{{1, 532us},  {2, 1120us}, {4, 2350us},
                                                  {8, 4980us}, {16, 12ms},  {32, 28600us}};
  const Duration alone = kTimes.lower_bound(rows)->second;
  return running <= 2 ? alone : alone * running / 2;
}

struct Case {
  const char* name;
  TimeOf time;
  Duration objective;
  int instances;  // that are best
  int64_t least_rows, most_rows;
};

TEST(ObjectivePlan, ChoosesInstancesAndRowsTogether) {
  const Case kCases[] = {
      {"batching hurts, and two cores are free", cnn, 20ms, 2, 1, 2},
      {"batching hurts, and an execution takes all cores",
       [](int64_t rows, int running) { return cnn(rows, 1) * running; }, 20ms, 1, 1, 2},
      {"batching pays, and cores are free", linear(4ms, 50us), 40ms, 4, 32, 32},
      {"batching pays, and an execution takes all cores", linear(4ms, 50us, 1), 40ms, 1, 32, 32},
      {"two side by side are worth it, four are not",
       [](int64_t rows, int running) { return linear(4ms, 50us)(rows, 1) * (running <= 2 ? 2 : running * 2 - 1) / 2; },
       100ms, 2, 32, 32},
      {"the objective leaves no time for large batches", linear(1ms, 1ms), 10ms, 4, 2, 2},
      {"nor for a second one beside", linear(2ms, 0ms, 1), 5ms, 1, 16, 32},
      {"it can't be held by more than one", linear(5ms, 500us, 0.5), 14ms, 1, 1, 2},
  };
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    const auto costs = measured_costs(32, 4, c.time);
    const auto options = options_for(policy_of(c.objective), costs, 1, {1, 4, {}}, {kMeasuredAt, 100, 0.9});
    ASSERT_EQ(options.size(), 4u);
    const InstanceOption* best = &options.front();
    for (const auto& option : options)
      if (clearly_better(option, *best, 1.05)) best = &option;
    EXPECT_EQ(best->instances, c.instances);
    EXPECT_GE(best->rows, c.least_rows);
    EXPECT_LE(best->rows, c.most_rows);
    EXPECT_TRUE(best->holds);
    EXPECT_TRUE(best->measured);
    EXPECT_EQ(best->caution, 1);
    EXPECT_LE(2 * best->execution, c.objective * 9 / 10);
    EXPECT_LE(best->rate, best->most);
    EXPECT_LE(best->most, best->instances * static_cast<double>(best->rows) / to_seconds(best->execution));
  }
}

TEST(ObjectivePlan, WaitsForMoreOnlyAsLongAsTheObjectiveLeavesTime) {
  const auto costs = measured_costs(32, 1, linear(4ms, 50us));
  const auto delay = [&](double arrivals, Duration objective) {
    return best_option(policy_of(objective), costs, 1, {kMeasuredAt, arrivals, 0.9}).delay;
  };
  EXPECT_EQ(delay(0, 40ms), 0ms) << "nothing comes that could be waited for";
  EXPECT_NEAR(to_seconds(delay(4'000, 40ms)), 32 / 4000.0, 1e-4) << "then there are 32";
  EXPECT_LE(delay(10, 40ms), 20ms);
  EXPECT_GT(delay(10, 40ms), 5ms);
  EXPECT_LT(delay(10, 14ms), 2ms);
}

TEST(ObjectivePlan, TheExpectedP99GrowsWithWhatComes) {
  const auto costs = measured_costs(32, 2, linear(4ms, 50us));
  Duration last{};
  double rate = 0;
  for (const double arrivals : {10.0, 1'000.0, 5'000.0, 10'000.0}) {
    const auto option = best_option(policy_of(20ms), costs, 2, {kMeasuredAt, arrivals, 0.9});
    EXPECT_GT(option.p99, last) << arrivals;
    last = option.p99;
    rate = option.rate;
  }
  const auto at_rate = best_option(policy_of(20ms), costs, 2, {kMeasuredAt, rate, 0.9});
  EXPECT_LE(at_rate.p99, 20ms) << "what it sustains, it sustains within the objective";
  EXPECT_EQ(best_option(policy_of(20ms), costs, 2, {kMeasuredAt, 20'000, 0.9}).p99, Duration::max());
}

TEST(ObjectivePlan, AHeavyTailLeavesLess) {
  ConcurrencyCosts costs(8);
  for (int64_t rows = 1; rows <= 8; rows *= 2)
    for (int i = 0; i < 200; ++i) costs.learn(1, rows, i % 20 == 0 ? 12ms * rows : 2ms * rows, kMeasuredAt);
  const auto option = best_option(policy_of(40ms, 8), costs, 1, {kMeasuredAt, 10, 0.9});
  EXPECT_TRUE(option.holds);
  EXPECT_LE(option.rows, 2) << "four take 8 ms, and 48 once in twenty times";
}

TEST(ObjectivePlan, WhatCantBeHeldIsRunAloneAndSaidSo) {
  const auto costs = measured_costs(32, 1, linear(10ms, 1ms));
  const auto option = best_option(policy_of(15ms), costs, 1, {kMeasuredAt, 10, 0.9});
  EXPECT_FALSE(option.holds);
  EXPECT_EQ(option.rows, 1);
  EXPECT_NEAR(option.rate, 1 / 0.011, 1) << "what it can do at all";
}

TEST(ObjectivePlan, WhatWasNotMeasuredIsPlannedAtWorst) {
  const auto costs = measured_costs(32, 1, linear(4ms, 50us));
  const auto one = best_option(policy_of(40ms), costs, 1, {kMeasuredAt, 10, 0.9});
  const auto two = best_option(policy_of(40ms), costs, 2, {kMeasuredAt, 10, 0.9});
  EXPECT_FALSE(two.measured);
  EXPECT_GT(two.caution, 2);
  EXPECT_LT(two.caution, 2.5);
  EXPECT_LE(two.rate, one.rate);
  EXPECT_NEAR(two.promise, 2 * one.most, 0.1 * one.most);
  EXPECT_LE(2 * two.execution, 36ms);
  EXPECT_FALSE(best_option(policy_of(15ms), costs, 2, {kMeasuredAt, 10, 0.9}).holds) << "twice as long is too long";
}

TEST(ObjectivePlan, BatchesAreOfAllowedSizes) {
  auto policy = policy_of(40ms);
  policy.allowed = {3, 24, 32};
  const auto costs = measured_costs(32, 1, linear(4ms, 500us));
  const auto option = best_option(policy, costs, 1, {kMeasuredAt, 10, 0.9});
  EXPECT_EQ(option.rows, 24);
}

TEST(ObjectivePlan, OptionsStayWithinTheLimits) {
  const auto costs = measured_costs(4, 6, linear(4ms, 50us));
  const auto numbers = [&](int present, InstanceLimits limits, TimePoint now = kMeasuredAt) {
    std::vector<int> out;
    for (const auto& option : options_for(policy_of(40ms, 4), costs, present, limits, {now, 10, 0.9}))
      out.push_back(option.instances);
    return out;
  };
  EXPECT_EQ(numbers(3, {2, 5, {}}), (std::vector<int>{2, 3, 4, 5}));
  EXPECT_EQ(numbers(3, {3, 3, {}}), (std::vector<int>{3}));
  EXPECT_EQ(numbers(1, {0, 1, 10s}), (std::vector<int>{1}));
  const TimePoint later = kMeasuredAt + ConcurrencyCosts::kForgottenAfter + 1s;
  EXPECT_EQ(numbers(8, {1, 1'000, {}}, later), (std::vector<int>{7, 8, 9})) << "not a thousand";
}

}  // namespace
}  // namespace modelmill
