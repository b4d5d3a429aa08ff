#include "runtime/offload.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace modelmill {
namespace {

TEST(Offload, RunsOnAnotherThread) {
  Offload offload(1, 1);
  std::promise<std::thread::id> where;
  ASSERT_TRUE(offload.run([&] { where.set_value(std::this_thread::get_id()); }));
  EXPECT_NE(where.get_future().get(), std::this_thread::get_id());
}

TEST(Offload, RefusesWhatIsTooMuch) {
  Offload offload(1, 2);
  std::promise<void> begun, gate;
  ASSERT_TRUE(offload.run([&] {
    begun.set_value();
    gate.get_future().wait();
  }));
  begun.get_future().wait();
  std::atomic<int> ran{0};
  EXPECT_TRUE(offload.run([&] { ++ran; }));
  EXPECT_TRUE(offload.run([&] { ++ran; }));
  EXPECT_FALSE(offload.run([&] { ++ran; }));
  gate.set_value();
  offload.stop();
  EXPECT_EQ(ran, 2);
}

TEST(Offload, WhatWaitsIsDoneBeforeItStops) {
  Offload offload(2, 1000);
  std::atomic<int> ran{0};
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(offload.run([&] { ++ran; }));
  offload.stop();
  EXPECT_EQ(ran, 1000);
  EXPECT_FALSE(offload.run([&] { ++ran; }));
  EXPECT_EQ(ran, 1000);
}

TEST(Offload, ATaskThatWaitsForAnotherHasAThreadMore) {
  Offload offload(1, 1000);
  for (int round = 0; round < 3; ++round) {
    std::promise<void> ran;
    ASSERT_TRUE(offload.run([&] {
      offload.widen();
      std::promise<void> inner;
      EXPECT_TRUE(offload.run([&] { inner.set_value(); }));
      inner.get_future().wait();
      offload.narrow();
      ran.set_value();
    }));
    ran.get_future().wait();
  }
  // From then on one at a time again.
  std::promise<void> begun, gate;
  std::atomic<int> others{0};
  ASSERT_TRUE(offload.run([&] {
    begun.set_value();
    gate.get_future().wait();
    EXPECT_EQ(others, 0);
  }));
  begun.get_future().wait();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(offload.run([&] { ++others; }));
  gate.set_value();
  offload.stop();
  EXPECT_EQ(others, 10);
}

}  // namespace
}  // namespace modelmill
