#include "schedule/cost_curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

/// Runs batches as large as the curve allows, of a queue that is never empty; their sizes.
std::vector<int64_t> run(CostCurve& curve, int batches, const std::function<Duration(int64_t)>& cost) {
  std::vector<int64_t> sizes;
  for (int i = 0; i < batches; ++i) {
    sizes.push_back(curve.limit());
    curve.learn(sizes.back(), cost(sizes.back()));
  }
  return sizes;
}

/// The rows are nearly free beside what each execution costs.
Duration pays(int64_t rows) { return 1ms + rows * 10us; }
/// Ten of them cost more than ten times one: a small convolution net on a processor.
Duration hurts(int64_t rows) { return rows * 266us + (rows - 1) * 6us; }

TEST(CostCurve, KnowsNothingAtFirst) {
  const CostCurve curve(64);
  EXPECT_FALSE(curve.known());
  EXPECT_FALSE(curve.explored());
  EXPECT_EQ(curve.expected(1), CostCurve::kUnknown);
  EXPECT_EQ(curve.p99(8), CostCurve::kUnknown);
  EXPECT_EQ(curve.rate(8), 0);
  EXPECT_EQ(curve.limit(), 1);
  EXPECT_TRUE(curve.points().empty());
}

TEST(CostCurve, GoesUpByPowersOfTwo) {
  CostCurve curve(64);
  const auto sizes = run(curve, 40, pays);
  EXPECT_THAT(std::vector<int64_t>(sizes.begin(), sizes.begin() + 7), ::testing::ElementsAre(1, 1, 1, 2, 2, 2, 4));
  for (size_t i = 1; i < sizes.size(); ++i) EXPECT_LE(sizes[i], 2 * sizes[i - 1]);
  EXPECT_TRUE(curve.explored());
  EXPECT_EQ(curve.worth(), 64);
  EXPECT_EQ(curve.limit(), 64);
}

TEST(CostCurve, FindsThatBatchingDoesNotPay) {
  CostCurve curve(64);
  const auto sizes = run(curve, 100, hurts);
  EXPECT_TRUE(curve.explored() || curve.worth() == 1);
  EXPECT_EQ(curve.worth(), 1);
  EXPECT_EQ(sizes.back(), 1) << "and stays there";
}

TEST(CostCurve, StopsWhereMoreStopsPaying) {
  CostCurve curve(64);
  // Free up to eight rows, dear beyond.
  run(curve, 100, [](int64_t rows) { return rows <= 8 ? 1ms : rows * 200us; });
  EXPECT_EQ(curve.worth(), 8);
  EXPECT_TRUE(curve.explored());
}

TEST(CostCurve, NoiseDoesNotMisleadIt) {
  for (unsigned seed = 0; seed < 20; ++seed) {
    std::mt19937 random(seed);
    std::lognormal_distribution<double> noise(0, 0.15);
    CostCurve curve(64);
    run(curve, 600, [&](int64_t rows) { return std::chrono::duration_cast<Duration>(pays(rows) * noise(random)); });
    EXPECT_GE(curve.worth(), 32) << "seed " << seed;
  }
}

TEST(CostCurve, OneSlowExecutionDoesNotMisleadIt) {
  CostCurve curve(8);
  run(curve, 50, pays);
  curve.learn(8, 3s);
  EXPECT_EQ(curve.worth(), 8);
  EXPECT_LT(curve.expected(8), 1300us);
}

TEST(CostCurve, TheFirstOfASizeMayBeSlow) {
  CostCurve curve(8);
  for (int i = 0; i < 2; ++i) {
    curve.learn(1, 1ms);
    curve.learn(8, i == 0 ? 50ms : 2ms);
  }
  EXPECT_EQ(curve.expected(8), 2ms);
}

TEST(CostCurve, LooksAgainAndFollowsAChange) {
  CostCurve curve(64);
  run(curve, 100, pays);
  EXPECT_EQ(curve.worth(), 64);
  // Another tenant: rows cost now what they are worth.
  run(curve, 4'000, hurts);
  EXPECT_EQ(curve.worth(), 1);
  run(curve, 40'000, pays);
  EXPECT_EQ(curve.worth(), 64);
}

TEST(CostCurve, ExpectsBetweenAndBeyondWhatItKnows) {
  CostCurve curve(64);
  for (int i = 0; i < 5; ++i) {
    curve.learn(2, 2ms);
    curve.learn(4, 3ms);
  }
  EXPECT_EQ(curve.expected(1), 2ms) << "not less than the smallest known";
  EXPECT_EQ(curve.expected(2), 2ms);
  EXPECT_EQ(curve.expected(3), 2500us);
  EXPECT_EQ(curve.expected(8), 6ms) << "as if rows cost the same";
  EXPECT_NEAR(curve.rate(4), 4 / 3.005e-3, 1);
}

TEST(CostCurve, TheQuantileIsNotBelowTheTruth) {
  CostCurve curve(1);
  std::mt19937 random(7);
  std::exponential_distribution<double> tail(1);
  std::vector<double> times;
  for (int i = 0; i < 900; ++i) {
    times.push_back(1e6 * (1 + tail(random)));
    curve.learn(1, std::chrono::nanoseconds(static_cast<int64_t>(times.back())));
  }
  std::sort(times.begin(), times.end());
  const double truth = times[times.size() * 99 / 100];
  const double learned = static_cast<double>(to_ns(curve.points()[0].p99));
  EXPECT_GE(learned, truth);
  EXPECT_LE(learned, truth * 1.27);
}

TEST(CostCurve, ARequestLargerThanABatchTeachesNothing) {
  CostCurve curve(8);
  curve.learn(100, 1s);
  EXPECT_FALSE(curve.known());
}

TEST(CostCurve, WhatItKnewCanBeGivenToItAgain) {
  CostCurve before(64);
  run(before, 100, pays);
  CostCurve after(64);
  after.seed(before.points());
  EXPECT_TRUE(after.explored());
  EXPECT_EQ(after.worth(), 64);
  EXPECT_EQ(after.limit(), 64);
  EXPECT_EQ(after.expected(16), before.expected(16));
  EXPECT_GE(after.p99(16), after.expected(16));
  run(after, 400, hurts);
  EXPECT_LT(after.worth(), 64) << "and it still learns";
}

TEST(CostCurve, SeedsThatMakeNoSenseAreLeftOut) {
  CostCurve curve(8);
  const CostPoint points[] = {
      {0, 1ms, 1ms, 5}, {4, 0ms, 1ms, 5}, {4, 1ms, 1ms, 0}, {4, 1ms, 1ms, -3}, {1e9, 1ms, 1ms, 5}};
  curve.seed(points);
  EXPECT_FALSE(curve.known());
}

TEST(CostCurve, BorrowsUntilItsFirstExecution) {
  CostCurve other(64);
  run(other, 100, pays);
  CostCurve curve(64);
  curve.borrow(other);
  EXPECT_EQ(curve.limit(), 64);
  curve.learn(64, 2 * pays(64));
  EXPECT_NEAR(to_seconds(curve.expected(1)), to_seconds(2 * pays(1)), 1e-4) << "scaled by what it found";
}

}  // namespace
}  // namespace modelmill
