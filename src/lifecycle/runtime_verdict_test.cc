#include "lifecycle/runtime_verdict.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

/// Over ten seconds.
ServedTraffic traffic(double rate, double latency) { return {10, 10 * rate, 10 * rate * latency}; }

TEST(RuntimeVerdict, WhatClientsSee) {
  struct Case {
    const char* what;
    ServedTraffic before, after;
    std::optional<double> gain;
  };
  const Case cases[] = {
      {"clients that wait get more", traffic(100, 0.08), traffic(150, 0.08 / 1.5), 1.5},
      {"or less", traffic(100, 0.08), traffic(80, 0.1), 0.8},
      {"as many are answered sooner", traffic(100, 0.08), traffic(100, 0.04), 2},
      {"or later", traffic(100, 0.04), traffic(100, 0.08), 0.5},
      {"nothing has changed", traffic(100, 0.08), traffic(100, 0.08), 1},
      {"far more come", traffic(100, 0.08), traffic(400, 0.08), std::nullopt},
      {"far fewer come", traffic(400, 0.08), traffic(100, 0.02), std::nullopt},
      {"nobody came", traffic(100, 0.08), traffic(0, 0), std::nullopt},
      {"there was nothing before", {}, traffic(100, 0.08), std::nullopt},
  };
  for (const Case& c : cases) {
    const auto gain = seen_gain(c.before, c.after);
    ASSERT_EQ(gain.has_value(), c.gain.has_value()) << c.what;
    if (gain) {
      EXPECT_NEAR(*gain, *c.gain, 1e-9) << c.what;
    }
  }
}

TEST(RuntimeVerdict, LooksAddUp) {
  ServedTraffic sum;
  for (int i = 0; i < 3; ++i) sum += ServedTraffic{1, 50, 4};
  EXPECT_DOUBLE_EQ(sum.rate(), 50);
  EXPECT_DOUBLE_EQ(sum.latency(), 0.08);
  EXPECT_DOUBLE_EQ(sum.in_flight(), 4);
}

}  // namespace
}  // namespace modelmill
