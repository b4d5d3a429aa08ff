#include "route/attempt_timer.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <vector>

namespace modelmill {
namespace {

TEST(AttemptTimer, CallsInTheOrderOfTheTimes) {
  std::vector<int> called;
  std::promise<void> all_known, done;
  AttemptTimer timer;
  const TimePoint now = Clock::now();
  timer.call_at(now, [&] { all_known.get_future().wait(); });  // however long it takes to say the others
  timer.call_at(now + std::chrono::milliseconds(30), [&] {
    called.push_back(3);
    done.set_value();
  });
  timer.call_at(now + std::chrono::milliseconds(10), [&] { called.push_back(1); });
  timer.call_at(now + std::chrono::milliseconds(20), [&] { called.push_back(2); });
  all_known.set_value();
  done.get_future().wait();
  EXPECT_EQ(called, (std::vector<int>{1, 2, 3}));
}

TEST(AttemptTimer, WhatHasNotComeIsNotCalledAtTheEnd) {
  auto held = std::make_shared<int>(0);
  {
    AttemptTimer timer;
    timer.call_at(Clock::now() + std::chrono::hours(1), [held] { ++*held; });
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_EQ(*held, 0);
}

}  // namespace
}  // namespace modelmill
