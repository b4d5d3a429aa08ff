#include "dialect/server_timing.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;

TEST(ServerTiming, MillisecondsOfWhatHappened) {
  const TimePoint start = TimePoint{} + 1h;
  RequestTimes times;
  EXPECT_EQ(server_timing(times, start), "");
  times.received = start;
  EXPECT_EQ(server_timing(times, start + 1ms), "total;dur=1.000");
  times.queued = start + 10us;
  EXPECT_EQ(server_timing(times, start + 1ms), "queue;dur=0.990, total;dur=1.000") << "it never ran";
  times.compute_start = start + 260us;
  times.compute_end = start + 2'260us;
  EXPECT_EQ(server_timing(times, start + 1s), "queue;dur=0.250, compute;dur=2.000, total;dur=1000.000");
  times.batch = {8, CutReason::kIdleInstance};
  EXPECT_EQ(server_timing(times, start + 1s),
            "queue;dur=0.250, compute;dur=2.000;desc=\"idle instance, rows 8\", total;dur=1000.000");
}

}  // namespace
}  // namespace modelmill
