#include "lifecycle/load_tries.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using std::chrono::seconds;

const TimePoint kNow{seconds(1000)};

TEST(LoadTries, WithoutRetriesTheFirstFailureIsTheLast) {
  LoadTries tries;
  EXPECT_FALSE(tries.failed("a", {0, seconds(1)}, kNow));
  EXPECT_EQ(tries.waiting(), "");
  EXPECT_FALSE(tries.due(kNow + seconds(100)));
}

TEST(LoadTries, EachFailureIsFollowedByATryUntilThereWereEnough) {
  const LoadRetries retries{2, seconds(5)};
  LoadTries tries;
  TimePoint now = kNow;
  for (int failure = 1; failure <= 2; ++failure) {
    ASSERT_EQ(tries.failed("a", retries, now), now + seconds(5));
    EXPECT_EQ(tries.failures(), failure);
    EXPECT_EQ(tries.waiting(), "a");
    EXPECT_FALSE(tries.due(now + seconds(4)));
    now += seconds(5);
    EXPECT_TRUE(tries.due(now));
    tries.begin();
    EXPECT_EQ(tries.waiting(), "");
    EXPECT_FALSE(tries.due(now)) << "it is under way";
  }
  EXPECT_FALSE(tries.failed("a", retries, now));
  EXPECT_EQ(tries.waiting(), "");
}

TEST(LoadTries, OtherFilesAreCountedAnew) {
  const LoadRetries retries{1, seconds(5)};
  LoadTries tries;
  ASSERT_TRUE(tries.failed("a", retries, kNow));
  ASSERT_TRUE(tries.failed("b", retries, kNow));
  EXPECT_EQ(tries.waiting(), "b");
  EXPECT_FALSE(tries.failed("b", retries, kNow));
  ASSERT_TRUE(tries.failed("a", retries, kNow));
}

TEST(LoadTries, WhatWasForgottenIsCountedAnew) {
  const LoadRetries retries{1, seconds(0)};
  LoadTries tries;
  ASSERT_TRUE(tries.failed("a", retries, kNow));
  EXPECT_TRUE(tries.due(kNow)) << "without an interval it is due at once";
  tries.forget();
  EXPECT_EQ(tries.waiting(), "");
  EXPECT_TRUE(tries.failed("a", retries, kNow));
  EXPECT_FALSE(tries.failed("a", retries, kNow));
}

}  // namespace
}  // namespace modelmill
