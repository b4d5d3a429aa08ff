#include "cli/verify/request_speed.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using std::chrono::milliseconds;

TEST(RequestSpeed, QuantilesAreTimesThatWereMeasured) {
  RequestSpeed speed;
  EXPECT_EQ(speed.quantile(0.5).count(), 0);
  EXPECT_EQ(speed.per_second(), 0);
  for (int i = 100; i > 0; --i) speed.times.emplace_back(milliseconds(i));
  speed.wall = std::chrono::seconds(2);
  EXPECT_EQ(speed.quantile(0.5), milliseconds(50));
  EXPECT_EQ(speed.quantile(0.99), milliseconds(99));
  EXPECT_EQ(speed.quantile(1), milliseconds(100));
  EXPECT_EQ(speed.quantile(0), milliseconds(1));
  EXPECT_DOUBLE_EQ(speed.per_second(), 50);
}

TEST(RequestSpeed, WhatIsNotAnsweredHasFailed) {
  // Nobody listens on a unix socket that is not there.
  const std::vector<RecordedRequest> requests(5, {"r:1", "GET", "/", {}, {}});
  RequestSpeed speed;
  std::vector<std::unique_ptr<HttpClient>> clients;
  for (int i = 0; i < 2; ++i)
    clients.push_back(std::make_unique<HttpClient>(*parse_base_url("unix:/nowhere/at/all.sock")));
  measure_speed(requests, clients, speed);
  EXPECT_EQ(speed.failed, 5u);
  EXPECT_TRUE(speed.times.empty());
}

}  // namespace
}  // namespace modelmill
