#include "server/signal_watcher.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <thread>

namespace modelmill {
namespace {

TEST(SignalWatcherTest, TheFirstSignalIsTold) {
  SignalWatcher watcher;
  EXPECT_EQ(watcher.received(), 0);
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(watcher.wait_signal(), SIGTERM);
  EXPECT_EQ(watcher.received(), SIGTERM);
  watcher.wait_signal_or_wake();
}

TEST(SignalWatcherTest, AWaitMayEndBefore) {
  SignalWatcher watcher;
  EXPECT_FALSE(watcher.wait_signal_until(Clock::now() - std::chrono::seconds(1)));
  ::kill(::getpid(), SIGTERM);
  EXPECT_TRUE(watcher.wait_signal_until(Clock::now() + std::chrono::minutes(1)));
}

TEST(SignalWatcherTest, WakeEndsAWaitWithoutASignal) {
  SignalWatcher watcher;
  std::thread waker([&] { watcher.wake(); });
  watcher.wait_signal_or_wake();
  EXPECT_EQ(watcher.received(), 0);
  waker.join();
}

TEST(SignalWatcherTest, ABrokenPipeIsAnErrorNotASignal) {
  SignalWatcher watcher;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ::close(ends[0]);
  EXPECT_EQ(::write(ends[1], "x", 1), -1);
  ::close(ends[1]);
}

TEST(SignalWatcherDeathTest, TheSecondSignalEndsTheProcessAtOnce) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        SignalWatcher watcher(Duration::zero());
        ::kill(::getpid(), SIGTERM);
        watcher.wait_signal();
        ::kill(::getpid(), SIGINT);
        for (;;) ::pause();
      },
      ::testing::ExitedWithCode(128 + SIGINT), "");
}

TEST(SignalWatcherTest, OneWishThatArrivesTwiceIsOne) {
  SignalWatcher watcher(std::chrono::hours(1));
  ::kill(::getpid(), SIGTERM);
  EXPECT_EQ(watcher.wait_signal(), SIGTERM);
  ::kill(::getpid(), SIGINT);
  sigset_t pending;
  do {  // until the watcher has read it
    sigpending(&pending);
  } while (sigismember(&pending, SIGINT));
  EXPECT_EQ(watcher.received(), SIGTERM);
}

TEST(SignalWatcherDeathTest, TheLastResortEndsTheProcess) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        SignalWatcher watcher;
        watcher.exit_at(Clock::now(), 7);
        for (;;) ::pause();
      },
      ::testing::ExitedWithCode(7), "");
}

TEST(SignalWatcherTest, TheDestructorCallsTheLastResortOff) {
  SignalWatcher watcher;
  watcher.exit_at(Clock::now() + std::chrono::hours(1), 7);
}

}  // namespace
}  // namespace modelmill
