#include "catalog/exposures.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

namespace modelmill {
namespace {

TEST(ExposuresTest, WhatIsAddedIsTakenOnce) {
  Exposures exposures;
  EXPECT_FALSE(exposures.are_wanted());
  exposures.want(true);
  EXPECT_TRUE(exposures.are_wanted());
  exposures.add({1, 2, 3, 4});
  const std::vector<Exposure> taken = exposures.take();
  ASSERT_EQ(taken.size(), 1U);
  EXPECT_EQ(taken[0].request, 2U);
  EXPECT_TRUE(exposures.take().empty());
  exposures.add({1, 2, 3, 4});
  exposures.want(false);
  EXPECT_TRUE(exposures.take().empty());
}

TEST(ExposuresTest, ThreadsLoseNothingAndTakeSeesWhatHasReturned) {
  constexpr uint64_t kThreads = 4, kEach = 10'000;
  Exposures exposures;
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (uint64_t i = 0; i < kEach; ++i) exposures.add({t * kEach + i, 0, 0, 0});
    });
  std::vector<uint64_t> users;
  const auto take = [&] {
    for (const Exposure& one : exposures.take()) users.push_back(one.user);
  };
  for (int i = 0; i < 100; ++i) take();
  for (std::thread& thread : threads) thread.join();
  take();
  std::sort(users.begin(), users.end());
  ASSERT_EQ(users.size(), kThreads * kEach);
  for (uint64_t i = 0; i < users.size(); ++i) EXPECT_EQ(users[i], i);
}

TEST(ExposuresTest, ItsMemoryIsBounded) {
  Exposures exposures;
  for (size_t i = 0; i < Exposures::kMost + 10; ++i) exposures.add({i, 0, 0, 0});
  EXPECT_LE(exposures.take().size(), Exposures::kMost);
  EXPECT_GE(exposures.dropped(), 10U);
}

}  // namespace
}  // namespace modelmill
