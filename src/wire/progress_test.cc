#include "wire/progress.h"

#include <gtest/gtest.h>

#include "wire/flood_guard.h"
#include "wire/standstill.h"

namespace modelmill::wire {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint at(Duration since) { return TimePoint(1000s) + since; }

TEST(Progress, IsStalledWhenAWholeWindowBroughtTooLittle) {
  Progress progress;
  EXPECT_FALSE(progress.stalled(at(0s), true, 500, 10s, 100));
  EXPECT_FALSE(progress.stalled(at(9s), true, 500, 10s, 100));
  EXPECT_FALSE(progress.stalled(at(10s), true, 600, 10s, 100));  // just enough, and the next window begins
  EXPECT_FALSE(progress.stalled(at(19s), true, 699, 10s, 100));
  EXPECT_TRUE(progress.stalled(at(21s), true, 699, 10s, 100));
}

TEST(Progress, OnlyWaitingCounts) {
  Progress progress;
  EXPECT_FALSE(progress.stalled(at(0s), true, 0, 10s, 1));
  EXPECT_FALSE(progress.stalled(at(5s), false, 0, 10s, 1));
  EXPECT_FALSE(progress.stalled(at(11s), true, 0, 10s, 1));
  EXPECT_FALSE(progress.stalled(at(20s), true, 0, 10s, 1));
  EXPECT_TRUE(progress.stalled(at(21s), true, 0, 10s, 1));
}

TEST(Progress, AWindowOfZeroIsOff) {
  Progress progress;
  EXPECT_FALSE(progress.stalled(at(0s), true, 0, 0s, 1));
  EXPECT_FALSE(progress.stalled(at(1000h), true, 0, 0s, 1));
}

TEST(Standstill, LastsWhileTheStateIsTheSame) {
  Standstill still;
  EXPECT_FALSE(still.lasts(at(0s), 7, 10s));
  EXPECT_FALSE(still.lasts(at(9s), 7, 10s));
  EXPECT_TRUE(still.lasts(at(10s), 7, 10s));
  EXPECT_FALSE(still.lasts(at(11s), 8, 10s));
  EXPECT_FALSE(still.lasts(at(20s), 8, 10s));
  still.reset();
  EXPECT_FALSE(still.lasts(at(21s), 8, 10s));
  EXPECT_TRUE(still.lasts(at(31s), 8, 10s));
  EXPECT_FALSE(still.lasts(at(1000h), 8, 0s));
}

TEST(FloodGuard, AllowsABurstAndARate) {
  ManualTime time;
  FloodGuard guard(time);
  EXPECT_TRUE(guard.spend(FloodGuard::kMost));
  EXPECT_FALSE(guard.spend(1));
  time.advance(10ms);
  EXPECT_TRUE(guard.spend(FloodGuard::kPerSecond / 100));
  EXPECT_FALSE(guard.spend(1));
  time.advance(1h);  // no more than a burst is ever saved up
  EXPECT_TRUE(guard.spend(FloodGuard::kMost));
  EXPECT_FALSE(guard.spend(1));
}

TEST(FloodGuard, WorkEarnsItBack) {
  ManualTime time;
  FloodGuard guard(time);
  for (uint32_t i = 0; i < 10 * FloodGuard::kMost; ++i) {
    ASSERT_TRUE(guard.spend(4));
    guard.earn(4);
  }
  guard.earn(FloodGuard::kMost);
  EXPECT_TRUE(guard.spend(FloodGuard::kMost));
  EXPECT_FALSE(guard.spend(1));
}

}  // namespace
}  // namespace modelmill::wire
