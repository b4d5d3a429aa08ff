#include "rollout/anytime_tests.h"

#include <gtest/gtest.h>

#include <cmath>

namespace modelmill {
namespace {

const double kFive = std::log(20);

/// So many at each of the milliseconds from 1 on.
LatencyCounts every_ms(std::initializer_list<uint64_t> counts) {
  LatencyCounts out(kLatencyHistogramBuckets);
  uint64_t ms = 0;
  for (const uint64_t count : counts) out[latency_bucket(++ms * 1'000'000)] += count;
  return out;
}

TEST(AnytimeTestsTest, SharesOfOneArm) {
  EXPECT_EQ(evidence_share_is_above({0, 0}, 0.01), 0);
  EXPECT_EQ(evidence_share_is_above({1'000, 10}, 0.01), 0);  // just so many
  EXPECT_LT(evidence_share_is_above({1'000, 15}, 0.01), kFive);
  EXPECT_GT(evidence_share_is_above({1'000, 40}, 0.01), kFive);
  EXPECT_GT(evidence_share_is_above({3, 3}, 0.01), kFive);  // it takes few
  EXPECT_LT(evidence_share_is_below({100, 0}, 0.01), kFive);
  EXPECT_GT(evidence_share_is_below({3'000, 1}, 0.01), kFive);
  EXPECT_EQ(evidence_share_is_below({3'000, 60}, 0.01), 0);
  EXPECT_GT(evidence_share_is_above({100, 1}, 0), 1e9);  // none was allowed
}

TEST(AnytimeTestsTest, SharesOfTwoArms) {
  const Tally baseline{20'000, 200};
  EXPECT_EQ(evidence_share_is_above({1'000, 10}, baseline, 0.005), 0);
  EXPECT_EQ(evidence_share_is_above({0, 0}, baseline, 0.005), 0);
  EXPECT_LT(evidence_share_is_above({1'000, 20}, baseline, 0.005), kFive);
  EXPECT_GT(evidence_share_is_above({1'000, 60}, baseline, 0.005), kFive);
  EXPECT_GT(evidence_share_is_above({5, 5}, baseline, 0.005), kFive);
  EXPECT_LT(evidence_share_is_below({1'000, 10}, baseline, 0.005), kFive);
  EXPECT_GT(evidence_share_is_below({20'000, 200}, baseline, 0.005), kFive);
  EXPECT_EQ(evidence_share_is_below({20'000, 500}, baseline, 0.005), 0);
  // With more of the same it grows.
  EXPECT_GT(evidence_share_is_above({10'000, 200}, {100'000, 1'000}, 0.005),
            evidence_share_is_above({1'000, 20}, {10'000, 100}, 0.005));
}

TEST(AnytimeTestsTest, QuantilesOfOneArm) {
  const LatencyCounts counts = every_ms({900, 50, 20, 20, 10});  // p99: 4 ms
  EXPECT_GT(evidence_quantile_is_above(counts, 0.99, 1'500), kFive);
  EXPECT_EQ(evidence_quantile_is_above(counts, 0.99, 5'500), 0);
  EXPECT_EQ(evidence_quantile_is_below(counts, 0.99, 1'500), 0);
  EXPECT_GT(evidence_quantile_is_below(counts, 0.99, 6'000), kFive);
  EXPECT_LT(evidence_quantile_is_below(every_ms({9, 1}), 0.99, 6'000), kFive);  // too few
  EXPECT_EQ(evidence_quantile_is_above({}, 0.99, 1), 0);
}

TEST(AnytimeTestsTest, QuantilesOfTwoArms) {
  const LatencyCounts fast = every_ms({9'500, 450, 50}), slow = every_ms({9'000, 200, 100, 100, 300, 300});
  EXPECT_GT(evidence_quantile_is_above(slow, fast, 0.99, 1.2), kFive);
  EXPECT_EQ(evidence_quantile_is_above(fast, slow, 0.99, 1.2), 0);
  EXPECT_EQ(evidence_quantile_is_above(fast, fast, 0.99, 1.2), 0);
  EXPECT_GT(evidence_quantile_is_below(fast, slow, 0.99, 1.2), kFive);
  EXPECT_GT(evidence_quantile_is_below(fast, fast, 0.99, 1.2), kFive);
  EXPECT_EQ(evidence_quantile_is_below(slow, fast, 0.99, 1.2), 0);
  EXPECT_EQ(evidence_quantile_is_above(slow, {}, 0.99, 1.2), 0);
  // All in the last bucket there is, or the first.
  LatencyCounts last(kLatencyHistogramBuckets), first(1, 1'000);
  last.back() = 1'000;
  EXPECT_GT(evidence_quantile_is_above(last, first, 0.5, 2), kFive);
  EXPECT_EQ(evidence_quantile_is_above(first, last, 0.5, 2), 0);
  EXPECT_GT(evidence_quantile_is_below(first, last, 0.5, 2), kFive);
}

}  // namespace
}  // namespace modelmill
