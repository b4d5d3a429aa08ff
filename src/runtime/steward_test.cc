#include "runtime/steward.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
const TimePoint kT0{100s};

TEST(Steward, EachTaskHasItsTime) {
  Steward steward;
  int often = 0, seldom = 0;
  steward.every(1s, [&](TimePoint) { ++often; });
  steward.every(10s, [&](TimePoint) { ++seldom; });
  EXPECT_EQ(steward.run_due(kT0), kT0 + 1s) << "all are due at first";
  EXPECT_EQ(steward.run_due(kT0 + 500ms), kT0 + 1s);
  EXPECT_EQ(often, 1);
  for (int i = 1; i <= 10; ++i) (void)steward.run_due(kT0 + i * 1s);
  EXPECT_EQ(often, 11);
  EXPECT_EQ(seldom, 2);
}

TEST(Steward, WokenItDoesEverything) {
  Steward steward;
  int runs = 0;
  steward.every(1h, [&](TimePoint) { ++runs; });
  (void)steward.run_due(kT0);
  steward.wake();
  (void)steward.run_due(kT0 + 1s);
  EXPECT_EQ(runs, 2);
  (void)steward.run_due(kT0 + 2s);
  EXPECT_EQ(runs, 2);
}

TEST(Steward, ItsThreadIsWokenAndStops) {
  Steward steward;
  std::promise<void> twice;
  std::atomic<int> runs{0};
  steward.every(1h, [&](TimePoint) {
    if (++runs == 2) twice.set_value();
  });
  steward.start();
  auto done = twice.get_future();
  steward.wake();
  // The first run may have taken the waking too.
  while (done.wait_for(10ms) != std::future_status::ready) steward.wake();
  steward.stop();
  const int before = runs;
  steward.wake();
  EXPECT_EQ(runs, before);
  steward.stop();
}

}  // namespace
}  // namespace modelmill
