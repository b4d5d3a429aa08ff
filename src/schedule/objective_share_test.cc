#include "schedule/objective_share.h"

#include <gtest/gtest.h>

#include <random>

namespace modelmill {
namespace {

TEST(ObjectiveShare, RestsWhereOneInAHundredIsLate) {
  for (unsigned seed = 0; seed < 5; ++seed) {
    std::mt19937 random(seed);
    std::lognormal_distribution<double> noise(0, 0.2);
    ObjectiveShare share;
    int late = 0;
    constexpr int kRequests = 50'000;
    for (int i = 0; i < 2 * kRequests; ++i) {
      // Each is let in so that it is expected to use all of the share.
      const bool is_late = share.value() * noise(random) > 1;
      if (i >= kRequests) late += is_late;
      share.observe(is_late);
    }
    EXPECT_NEAR(late, 0.007 * kRequests, 0.002 * kRequests) << "seed " << seed;
    EXPECT_GT(share.value(), 0.5);
  }
}

TEST(ObjectiveShare, StaysInItsBounds) {
  ObjectiveShare share;
  for (int i = 0; i < 100'000; ++i) share.observe(false);
  EXPECT_DOUBLE_EQ(share.value(), 0.95);
  for (int i = 0; i < 1'000; ++i) share.observe(true);
  EXPECT_DOUBLE_EQ(share.value(), 0.3);
}

}  // namespace
}  // namespace modelmill
