#include "lifecycle/settling.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TimePoint at(int ms) { return TimePoint(std::chrono::milliseconds(ms)); }

TEST(SettlingTest, WhatStaysTheSameForTheTimeComesToRest) {
  Settling settling(std::chrono::milliseconds(100));
  EXPECT_FALSE(settling.observe("m", "a", at(0)));
  EXPECT_FALSE(settling.observe("m", "a", at(99)));
  EXPECT_TRUE(settling.observe("m", "a", at(100)));
  EXPECT_FALSE(settling.observe("m", "a", at(101))) << "a new look begins anew";
}

TEST(SettlingTest, EachChangeBeginsAnew) {
  Settling settling(std::chrono::milliseconds(100));
  EXPECT_FALSE(settling.observe("m", "a", at(0)));
  EXPECT_FALSE(settling.observe("m", "b", at(99)));
  EXPECT_FALSE(settling.observe("m", "b", at(150)));
  EXPECT_FALSE(settling.observe("m", "a", at(199))) << "back to what it was is a change too";
  EXPECT_TRUE(settling.observe("m", "a", at(299)));
}

TEST(SettlingTest, KeysAreByThemselvesAndCanBeForgotten) {
  Settling settling(std::chrono::milliseconds(100));
  EXPECT_FALSE(settling.observe("m", "a", at(0)));
  EXPECT_FALSE(settling.observe("n", "a", at(50)));
  settling.forget("m");
  EXPECT_FALSE(settling.observe("m", "a", at(100)));
  EXPECT_TRUE(settling.observe("n", "a", at(150)));
}

}  // namespace
}  // namespace modelmill
