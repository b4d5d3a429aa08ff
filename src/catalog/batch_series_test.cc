#include "catalog/batch_series.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

uint64_t total(const HistogramValue& value) {
  return std::accumulate(value.counts.begin(), value.counts.end(), uint64_t{0});
}

TEST(BatchSeriesTest, BoundsAreThoseOfTensorFlowServing) {
  EXPECT_EQ(BatchSeries::row_bounds().front(), 1);
  EXPECT_EQ(BatchSeries::row_bounds().back(), 8192);
  EXPECT_EQ(BatchSeries::queue_bounds_us().front(), 100);
  EXPECT_NEAR(BatchSeries::queue_bounds_us()[2], 144, 1e-9);
  EXPECT_EQ(BatchSeries::queue_bounds_us().size(), 52U);
  EXPECT_EQ(BatchSeries::run_bounds_us().back(), 1'000.0 * (1 << 19));
}

TEST(BatchSeriesTest, RequestsAndExecutionsAreCounted) {
  BatchSeries series("pool");
  EXPECT_EQ(series.thread_pool(), "pool");
  series.request(130us, 2);
  series.request(10s, 3);
  series.execution(8, 3, 1500us);
  series.execution(8, 0, 3ms);
  series.execution(1, 0, 10us);
  const BatchSeries::View view = series.view();
  EXPECT_EQ(view.executions, 3U);
  EXPECT_EQ(view.queued_us.counts[2], 1U) << "up to 144 us";
  EXPECT_EQ(view.queued_us.counts.back(), 1U);
  EXPECT_NEAR(view.queued_us.sum, 10'000'130, 1e-3);
  EXPECT_EQ(view.input_rows.counts[1], 1U);
  EXPECT_EQ(view.input_rows.counts[2], 1U) << "3 is in what goes up to 4";
  EXPECT_EQ(view.input_rows.sum, 5);
  EXPECT_EQ(view.processed_rows.counts[3], 2U);
  EXPECT_EQ(view.processed_rows.sum, 17);
  EXPECT_EQ(view.ran_us.counts[0], 1U);
  EXPECT_EQ(view.ran_us.counts[1], 1U);
  EXPECT_EQ(view.ran_us.counts[2], 1U);
  ASSERT_EQ(view.padding.size(), 2U);
  EXPECT_EQ(view.padding.at(8).counts[0], 1U) << "none";
  EXPECT_EQ(view.padding.at(8).counts[2], 1U);
  EXPECT_EQ(view.padding.at(8).sum, 3);
  EXPECT_EQ(total(view.padding.at(1)), 1U);
}

TEST(BatchSeriesTest, ManyThreads) {
  BatchSeries series("pool");
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&series, t] {
      for (int i = 0; i < 1'000; ++i) {
        series.request(1us, 1);
        series.execution(t + 1, t, 1us);
        if (i % 100 == 0) series.view();
      }
    });
  for (auto& thread : threads) thread.join();
  const BatchSeries::View view = series.view();
  EXPECT_EQ(view.executions, 4'000U);
  EXPECT_EQ(total(view.input_rows), 4'000U);
  EXPECT_EQ(view.padding.size(), 4U);
  EXPECT_EQ(view.padding.at(4).sum, 3'000);
}

}  // namespace
}  // namespace modelmill
