#include "catalog/load_attempts.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

TEST(LoadAttemptsTest, CountsWhatEndedHow) {
  LoadAttempts attempts;
  attempts.failed("m", 1, "m/1");
  attempts.succeeded("m", 1, "m/1", 2s);
  attempts.succeeded("m", 1, "m/1", 3s);
  attempts.failed("n", 7, "n/7");
  const auto all = attempts.view();
  ASSERT_EQ(all.size(), 2U);
  const LoadAttempts::Version& first = all.at({"m", 1});
  EXPECT_EQ(first.place, "m/1");
  EXPECT_EQ(first.succeeded, 2U);
  EXPECT_EQ(first.failed, 1U);
  EXPECT_EQ(first.took, Duration(5s));
  attempts.forget({"n", 7});
  EXPECT_EQ(attempts.view().size(), 1U);
  attempts.forget({"m", 1});
  attempts.failed("m", 1, "m/1");
  EXPECT_EQ(attempts.view().at({"m", 1}).succeeded, 0U);
  EXPECT_NE(attempts.view().at({"m", 1}).serial, first.serial) << "it can be told from the one before";
}

TEST(LoadAttemptsTest, WarmUpsAreCountedByTheTimeTheyTook) {
  LoadAttempts attempts;
  EXPECT_EQ(attempts.warm_ups({"m", 1}).counts.size(), LoadAttempts::warm_up_bounds_us().size() + 1);
  attempts.warmed_up("m", 1, "m/1", 10us);
  attempts.warmed_up("m", 1, "m/1", 11us);
  attempts.warmed_up("m", 1, "m/1", 24h);
  const HistogramValue value = attempts.warm_ups({"m", 1});
  EXPECT_EQ(value.counts.front(), 1U);
  EXPECT_EQ(value.counts.at(1), 1U);
  EXPECT_EQ(value.counts.back(), 1U);
  EXPECT_EQ(attempts.view().at({"m", 1}).warm_ups, 3U);
  attempts.warmed_up("m", 1, "elsewhere/1", 10us);
  EXPECT_EQ(attempts.warm_ups({"m", 1}).sum, 10);
  attempts.forget({"m", 1});
  EXPECT_EQ(attempts.warm_ups({"m", 1}).sum, 0);
}

TEST(LoadAttemptsTest, AnotherPlaceIsCountedAnew) {
  LoadAttempts attempts;
  attempts.succeeded("m", 1, "old/1", 2s);
  attempts.failed("m", 1, "new/1");
  const auto all = attempts.view();
  EXPECT_EQ(all.at({"m", 1}).place, "new/1");
  EXPECT_EQ(all.at({"m", 1}).succeeded, 0U);
  EXPECT_EQ(all.at({"m", 1}).failed, 1U);
}

}  // namespace
}  // namespace modelmill
