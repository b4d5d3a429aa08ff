#include "lifecycle/slice_timer.h"

#include <gtest/gtest.h>
#include <time.h>

#include <thread>
#include <vector>

namespace modelmill {
namespace {

constexpr Duration kSlice = std::chrono::milliseconds(40);
const std::atomic<bool> kOn{false};

/// Keeps a core at work for so much time of its own.
bool work_for(Duration time) {
  const auto ran = [] {
    timespec at{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return std::chrono::seconds(at.tv_sec) + std::chrono::nanoseconds(at.tv_nsec);
  };
  const auto until = ran() + time;
  while (ran() < until) continue;
  return true;
}

TEST(SliceTimer, WhatOthersTakeIsNotCounted) {
  if (thread_times().empty()) GTEST_SKIP() << "the kernel tells nothing of its threads";
  // Twice as many as there are cores: what is measured gets 40% of one, or less.
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::atomic<bool> enough{false};
  std::vector<std::thread> others;
  for (int i = 0; i < 2 * cores; ++i)
    others.emplace_back([&] {
      while (!enough) continue;
    });
  const SliceTimer timer(cores);
  int runs = 0;
  const auto run = [&](int) { return ++runs > 0 && work_for(std::chrono::milliseconds(2)); };
  const TimePoint begin = Clock::now();
  const auto rate = timer.rate({1, 1, run}, 10 * kSlice, kOn);
  const double passed = to_seconds(Clock::now() - begin);
  enough = true;
  for (std::thread& other : others) other.join();
  ASSERT_TRUE(rate);
  EXPECT_GT(*rate, 1.3 * runs / passed);
  EXPECT_LE(*rate, 500);
}

TEST(SliceTimer, WaitsForARuntimesThreadsCount) {
  const SliceTimer timer(2);
  const auto in_a_thread = [](int) {
    std::thread([] { work_for(std::chrono::milliseconds(2)); }).join();
    return true;
  };
  const auto rate = timer.rate({2, 1, in_a_thread}, kSlice, kOn);
  ASSERT_TRUE(rate);
  EXPECT_LT(*rate, 1'001);
}

TEST(SliceTimer, LanesThatShareCoresAreNotTakenForMore) {
  const SliceTimer timer(1);
  const auto rate = timer.rate({4, 1, [](int) { return work_for(std::chrono::milliseconds(1)); }}, kSlice, kOn);
  ASSERT_TRUE(rate);
  EXPECT_LT(*rate, 1'001);
}

TEST(SliceTimer, WhatWaitsIsNoWork) {
  const SliceTimer timer(2);
  const auto wait = [](int) {
    std::this_thread::sleep_for(std::chrono::milliseconds(4));
    return true;
  };
  const auto rate = timer.rate({1, 1, wait}, kSlice, kOn);
  ASSERT_TRUE(rate);
  EXPECT_LT(*rate, 300);
}

TEST(SliceTimer, EachLaneRunsOnceMoreAtLeast) {
  std::atomic<int> runs[2]{};
  const auto count = [&](int lane) { return ++runs[lane] > 0; };
  EXPECT_TRUE(SliceTimer(2).rate({2, 1, count}, Duration{}, kOn));
  EXPECT_EQ(runs[0], 2);
  EXPECT_EQ(runs[1], 2);
}

TEST(SliceTimer, AFailureEndsIt) {
  EXPECT_FALSE(SliceTimer(2).rate({2, 1, [](int lane) { return lane == 0; }}, kSlice, kOn));
  std::atomic<int> runs = 0;
  EXPECT_FALSE(SliceTimer(2).rate({1, 1, [&](int) { return ++runs < 3; }}, kSlice, kOn));
  const std::atomic<bool> stop{true};
  EXPECT_FALSE(SliceTimer(2).rate({1, 1, [](int) { return true; }}, kSlice, stop));
}

}  // namespace
}  // namespace modelmill
