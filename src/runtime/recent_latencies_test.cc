#include "runtime/recent_latencies.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

const TimePoint kBegin{3'000s};  // of one of the 15 s

TEST(RecentLatenciesTest, NothingIsThereBeforeSomethingWasRecorded) {
  const RecentLatencies recent;
  EXPECT_TRUE(recent.counts(kBegin).empty());
}

TEST(RecentLatenciesTest, QuantilesAreThoseOfTheLastMinute) {
  RecentLatencies recent;
  for (int i = 1; i <= 1'000; ++i) recent.record(static_cast<uint64_t>(i) * 10'000, 1, kBegin + i * 10ms);
  const TimePoint later = kBegin + 60s;
  EXPECT_EQ(total_of(recent.counts(later)), 1'000U);
  EXPECT_NEAR(quantile_us(recent.counts(later), 0.5), 5'000, 5'000 * 0.016);
  EXPECT_NEAR(quantile_us(recent.counts(later), 0.99), 9'900, 9'900 * 0.016);
  recent.record(1'000'000'000, 3'000, later);
  EXPECT_EQ(total_of(recent.counts(later)), 4'000U);
  EXPECT_NEAR(quantile_us(recent.counts(later), 0.5), 1e6, 1e6 * 0.016) << "several at once count as several";
}

TEST(RecentLatenciesTest, WhatIsOldIsForgotten) {
  RecentLatencies recent;
  recent.record(1'000, 1, kBegin);
  EXPECT_EQ(total_of(recent.counts(kBegin + 74s)), 1U);
  EXPECT_EQ(total_of(recent.counts(kBegin + 75s)), 0U) << "though nobody has recorded anything since";
  recent.record(5'000'000, 1, kBegin + 75s);
  EXPECT_EQ(total_of(recent.counts(kBegin + 75s)), 1U) << "it took the place of the old one";
  EXPECT_NEAR(quantile_us(recent.counts(kBegin + 75s), 0.5), 5'000, 5'000 * 0.016);
}

TEST(RecentLatenciesTest, WhatComesLateByMoreThanAMinuteIsLeftOut) {
  RecentLatencies recent;
  recent.record(1'000, 1, kBegin + 75s);
  recent.record(1'000, 1, kBegin);
  EXPECT_EQ(total_of(recent.counts(kBegin + 75s)), 1U);
  recent.record(1'000, 1, kBegin + 74s);
  EXPECT_EQ(total_of(recent.counts(kBegin + 75s)), 2U) << "a little late is in time";
}

TEST(RecentLatenciesTest, ManyThreadsCountWhileOthersLook) {
  RecentLatencies recent;
  std::atomic<bool> over{false};
  std::thread reader([&] {
    while (!over) EXPECT_LE(total_of(recent.counts(kBegin)), 40'000U);
  });
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&recent] {
      recent.record(0, 1, kBegin);
      for (uint64_t i = 1; i < 5'000; ++i) recent.record(i * 1'000, 1, kBegin);
    });
  for (auto& thread : threads) thread.join();
  over = true;
  reader.join();
  const uint64_t all = total_of(recent.counts(kBegin));
  EXPECT_LE(all, 40'000U);
  EXPECT_GE(all, 5'000U) << "a thread that empties counts loses nothing of its own";
}

}  // namespace
}  // namespace modelmill
