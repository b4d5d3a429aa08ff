#include "schedule/instance_gain.h"

#include <gtest/gtest.h>

#include <vector>

#include "schedule/testing/measured_costs.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::kMeasuredAt;
using testing::linear;
using testing::measured_costs;

/// Executions of 4 rows take so long with one, two ... of them side by side; 0: never seen.
ConcurrencyCosts taking(const std::vector<int>& milliseconds) {
  ConcurrencyCosts costs(8);
  int running = 0;
  for (const int time : milliseconds) {
    ++running;
    for (int i = 0; time > 0 && i < ConcurrencyCosts::kEnough; ++i)
      costs.learn(running, 4, std::chrono::milliseconds(time), kMeasuredAt);
  }
  return costs;
}

TEST(InstanceGain, ByWhatWasMeasured) {
  const struct {
    const char* what;
    std::vector<int> milliseconds;
    int instances;
    std::optional<double> gain;
  } cases[] = {
      {"nothing is known", {}, 1, std::nullopt},
      {"only those that there are", {20}, 1, std::nullopt},
      {"only those that there are not", {0, 20}, 1, std::nullopt},
      {"two are as fast as one", {20, 20}, 1, 2},
      {"two share one core", {20, 40}, 1, 1},
      {"two stand in each other's way", {20, 50}, 1, 0.8},
      {"a second one brought all it could: a third may bring half as much more", {20, 20}, 2, 1.5},
      {"a second one brought nothing, so a third won't", {20, 40}, 2, 1},
      {"a second one was worse than nothing", {20, 50}, 2, 1},
      {"a third was seen, whatever the second brought", {20, 40, 40}, 2, 1.5},
      {"three of two cores", {20, 20, 30}, 2, 1},
      {"one between was not seen", {20, 0, 30}, 3, std::nullopt},
  };
  for (const auto& c : cases) {
    const auto gain = gain_of_another(taking(c.milliseconds), c.instances, 4, kMeasuredAt);
    ASSERT_EQ(gain.has_value(), c.gain.has_value()) << c.what;
    if (!gain) continue;
    EXPECT_NEAR(*gain, *c.gain, 0.01) << c.what;
  }
}

TEST(InstanceGain, WhatIsLongAgoSaysNothing) {
  const ConcurrencyCosts costs = taking({20, 40});
  EXPECT_TRUE(gain_of_another(costs, 1, 4, kMeasuredAt + ConcurrencyCosts::kForgottenAfter));
  EXPECT_FALSE(gain_of_another(costs, 1, 4, kMeasuredAt + ConcurrencyCosts::kForgottenAfter + 1s));
}

TEST(InstanceGain, IsThatOfBatchesOfSoManyRows) {
  // The share that each further execution costs is the same for all sizes.
  const auto costs = measured_costs(8, 3, linear(2ms, 1ms, 0.5));
  for (const int64_t rows : {1, 4, 8})
    EXPECT_NEAR(*gain_of_another(costs, 1, rows, kMeasuredAt), 2 / 1.5, 0.01) << rows;
}

}  // namespace
}  // namespace modelmill
