#include "schedule/concurrency_costs.h"

#include <gtest/gtest.h>

#include "schedule/concurrency_meter.h"
#include "schedule/testing/measured_costs.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::kMeasuredAt;
using testing::linear;
using testing::measured_costs;

TEST(ConcurrencyMeter, IsTheMeanOverTheLifeOfAnExecution) {
  ConcurrencyMeter meter;
  const TimePoint begin{100s};
  meter.change(1, begin);
  const auto first = meter.mark(begin);
  meter.change(2, begin + 10ms);
  const auto second = meter.mark(begin + 10ms);
  EXPECT_DOUBLE_EQ(meter.mean_since(first, begin + 20ms), 1.5);
  meter.change(1, begin + 20ms);
  EXPECT_DOUBLE_EQ(meter.mean_since(second, begin + 20ms), 2);
  EXPECT_DOUBLE_EQ(meter.mean_since(second, begin + 30ms), 1.5);
  EXPECT_DOUBLE_EQ(meter.mean_since(meter.mark(begin + 30ms), begin + 30ms), 1) << "took no time";
  meter.change(3, begin + 29ms);  // read before the lock was had
  EXPECT_DOUBLE_EQ(meter.mean_since(meter.mark(begin + 29ms), begin + 40ms), 3 * 10.0 / 11);
}

TEST(ConcurrencyCosts, LearnsWhatRunsBesideOthersApart) {
  const auto costs = measured_costs(8, 3, linear(2ms, 1ms, 0.5));
  EXPECT_EQ(costs.measured_levels(kMeasuredAt), (std::vector<int>{1, 2, 3}));
  for (const int64_t rows : {1, 4, 8})
    for (const int running : {1, 2, 3}) {
      const auto estimate = costs.estimate(running, rows, kMeasuredAt);
      EXPECT_TRUE(estimate.measured);
      EXPECT_NEAR(to_seconds(estimate.expected), (0.002 + 0.001 * rows) * (0.5 + 0.5 * running), 1e-6);
      EXPECT_EQ(estimate.expected, estimate.worst);
      EXPECT_GE(estimate.p99, estimate.expected);
    }
}

TEST(ConcurrencyCosts, WhatWasNotMeasuredIsBetweenTheBestAndTheWorst) {
  ConcurrencyCosts costs(8);
  EXPECT_FALSE(costs.known());
  for (int i = 0; i < ConcurrencyCosts::kEnough; ++i) costs.learn(2, 4, 10ms, kMeasuredAt);
  const auto more = costs.estimate(3, 4, kMeasuredAt);
  EXPECT_FALSE(more.measured);
  EXPECT_EQ(more.expected, 10ms);
  EXPECT_GT(more.worst, 15ms) << "as if nothing were gained";
  EXPECT_LT(more.worst, 18ms);
  const auto fewer = costs.estimate(1, 4, kMeasuredAt);
  EXPECT_FALSE(fewer.measured);
  EXPECT_EQ(fewer.worst, 10ms) << "nothing is slower alone";
}

TEST(ConcurrencyCosts, FewExecutionsSayLittle) {
  ConcurrencyCosts costs(8);
  for (int i = 0; i < ConcurrencyCosts::kEnough; ++i) costs.learn(1, 1, 10ms, kMeasuredAt);
  for (int i = 0; i + 1 < ConcurrencyCosts::kEnough; ++i) costs.learn(2, 1, 10ms, kMeasuredAt);
  EXPECT_FALSE(costs.measured(2, kMeasuredAt));
  EXPECT_GT(costs.estimate(2, 1, kMeasuredAt).worst, 20ms);
  costs.learn(2, 1, 10ms, kMeasuredAt);
  EXPECT_TRUE(costs.measured(2, kMeasuredAt));
  EXPECT_EQ(costs.estimate(2, 1, kMeasuredAt).worst, 10ms);
}

TEST(ConcurrencyCosts, AChangingNumberBesideTeachesNothing) {
  ConcurrencyCosts costs(8);
  for (int i = 0; i < 100; ++i) costs.learn(1.5, 1, 10ms, kMeasuredAt);
  for (int i = 0; i < 100; ++i) costs.learn(1, 100, 10ms, kMeasuredAt);
  EXPECT_FALSE(costs.known());
  costs.learn(1.1, 1, 10ms, kMeasuredAt);
  EXPECT_EQ(costs.executions(1, kMeasuredAt), 1);
}

TEST(ConcurrencyCosts, ForgetsWhatWasSeenTooLongAgo) {
  auto costs = measured_costs(8, 2, linear(2ms, 1ms));
  const TimePoint later = kMeasuredAt + ConcurrencyCosts::kForgottenAfter + 1s;
  EXPECT_TRUE(costs.measured_levels(later).empty());
  EXPECT_TRUE(costs.known()) << "better than nothing";
  EXPECT_FALSE(costs.estimate(1, 1, later).measured);
  for (int i = 0; i < ConcurrencyCosts::kEnough; ++i) costs.learn(1, 1, 20ms, later);
  EXPECT_EQ(costs.measured_levels(later), std::vector<int>{1});
  EXPECT_EQ(costs.estimate(1, 1, later).expected, 20ms) << "not mixed with what was";
  EXPECT_GT(costs.estimate(2, 1, later).worst, 40ms);
}

/// Two were seen at small batches only: large ones grow as they do alone, and not as if each row cost the same.
TEST(ConcurrencyCosts, LargerBatchesGrowAsTheyDoElsewhere) {
  auto costs = measured_costs(32, 1, linear(8ms, 100us));
  for (int i = 0; i < ConcurrencyCosts::kEnough; ++i) costs.learn(2, 2, 10ms, kMeasuredAt);
  const auto estimate = costs.estimate(2, 32, kMeasuredAt);
  EXPECT_TRUE(estimate.measured);
  EXPECT_NEAR(to_seconds(estimate.expected), 0.010 * 11.2 / 8.2, 1e-4);
}

TEST(ConcurrencyCosts, SeedsAreOfExecutionsAlone) {
  ConcurrencyCosts costs(8);
  costs.seed({}, kMeasuredAt);
  EXPECT_FALSE(costs.known());
  const std::vector<CostPoint> points{{1, 10ms, 11ms, 40}, {8, 20ms, 22ms, 40}};
  costs.seed(points, kMeasuredAt);
  EXPECT_TRUE(costs.measured(1, kMeasuredAt));
  EXPECT_EQ(costs.estimate(1, 8, kMeasuredAt).expected, 20ms);
}

}  // namespace
}  // namespace modelmill
