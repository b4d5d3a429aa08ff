#include "runtime/backlog.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "runtime/turn.h"

namespace modelmill {
namespace {

TEST(Backlog, HasRoomUpToItsLimit) {
  Backlog backlog(100);
  backlog.add(100);
  backlog.wait_for_room();
  backlog.settle(100, 100);
  backlog.wait_for_room();
}

TEST(Backlog, TheMakerWaitsUntilHalfHasLeft) {
  Backlog backlog(100);
  backlog.add(150);
  std::atomic<bool> through{false};
  std::thread maker([&] {
    backlog.wait_for_room();
    through = true;
  });
  backlog.settle(150, 120);
  backlog.settle(0, 51);
  EXPECT_FALSE(through);
  EXPECT_TRUE(backlog.needs_settling(51));
  EXPECT_FALSE(backlog.needs_settling(50));
  backlog.settle(0, 50);
  maker.join();
  EXPECT_TRUE(through);
}

TEST(Backlog, WhatIsOnItsWayCountsLikeWhatHasNotLeft) {
  Backlog backlog(100);
  backlog.add(60);
  backlog.settle(60, 60);
  backlog.add(60);
  std::thread maker([&] { backlog.wait_for_room(); });
  backlog.settle(60, 0);
  maker.join();
}

TEST(Backlog, NobodyWaitsOnceItIsClosed) {
  Backlog backlog(100);
  backlog.add(1000);
  std::thread maker([&] { backlog.wait_for_room(); });
  backlog.close();
  maker.join();
  backlog.add(1000);
  backlog.wait_for_room();
}

TEST(Backlog, ALoopDoesNotWaitForItself) {
  Backlog backlog(100);
  backlog.add(1000);
  Turn turn;
  Turn::set_current(&turn);
  backlog.wait_for_room();
  Turn::set_current(nullptr);
}

}  // namespace
}  // namespace modelmill
