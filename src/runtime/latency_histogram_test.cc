#include "runtime/latency_histogram.h"

#include <gtest/gtest.h>

#include <cmath>

namespace modelmill {
namespace {

TEST(LatencyHistogramTest, BucketsFollowEachOtherAndAreNarrow) {
  uint64_t begin = 0;
  for (size_t bucket = 0; bucket < kLatencyHistogramBuckets; ++bucket) {
    const uint64_t end = latency_bucket_end_ns(bucket);
    ASSERT_GT(end, begin);
    EXPECT_EQ(latency_bucket(begin), bucket);
    EXPECT_EQ(latency_bucket(end - 1), bucket);
    if (begin >= 17'000) {
      EXPECT_LE(static_cast<double>(end - begin), 0.0157 * static_cast<double>(begin));
    }
    begin = end;
  }
  EXPECT_GT(begin, 270'000'000'000U);
  EXPECT_EQ(latency_bucket(UINT64_MAX), kLatencyHistogramBuckets - 1);
}

TEST(LatencyHistogramTest, QuantilesAreThoseOfWhatWasRecorded) {
  LatencyHistogram histogram;
  EXPECT_EQ(quantile_us(histogram.counts(), 0.5), 0);
  for (int i = 1; i <= 1'000; ++i) histogram.record(std::chrono::microseconds(i * 10));
  const LatencyCounts counts = histogram.counts();
  EXPECT_EQ(total_of(counts), 1'000U);
  EXPECT_NEAR(quantile_us(counts, 0.5), 5'000, 5'000 * 0.016);
  EXPECT_NEAR(quantile_us(counts, 0.99), 9'900, 9'900 * 0.016);
  LatencyCounts twice;
  add_to(twice, counts);
  add_to(twice, counts);
  EXPECT_EQ(total_of(twice), 2'000U);
  EXPECT_EQ(quantile_us(twice, 0.99), quantile_us(counts, 0.99));
}

}  // namespace
}  // namespace modelmill
