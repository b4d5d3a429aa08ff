#include "repository/settler.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using std::chrono::milliseconds;

VersionFingerprint of_size(int64_t size) { return {{{"m/1/model.onnx", 1, 2, size, 3, 4}}}; }

TEST(Settler, AtRestWhenNothingChangedForLongEnough) {
  ManualTime time;
  Settler settler(milliseconds(100));
  EXPECT_EQ(settler.settles_at("m"), kNever);
  EXPECT_FALSE(settler.observe("m", of_size(1), time.now()));
  EXPECT_EQ(settler.settles_at("m"), time.now() + milliseconds(100));
  time.advance(milliseconds(99));
  EXPECT_FALSE(settler.observe("m", of_size(1), time.now()));
  time.advance(milliseconds(1));
  EXPECT_TRUE(settler.observe("m", of_size(1), time.now()));
  time.advance(milliseconds(1));
  EXPECT_TRUE(settler.observe("m", of_size(1), time.now()));
}

TEST(Settler, EveryChangeBeginsAnew) {
  ManualTime time;
  Settler settler(milliseconds(100));
  for (int64_t size = 1; size < 20; ++size) {
    EXPECT_FALSE(settler.observe("m", of_size(size), time.now()));
    time.advance(milliseconds(99));
  }
  EXPECT_FALSE(settler.observe("m", of_size(19), time.now()));
  time.advance(milliseconds(1));
  EXPECT_TRUE(settler.observe("m", of_size(19), time.now()));
  EXPECT_FALSE(settler.observe("m", of_size(18), time.now())) << "back to what it once was is a change too";
}

TEST(Settler, KeysAreOnTheirOwn) {
  ManualTime time;
  Settler settler(milliseconds(100));
  settler.observe("a", of_size(1), time.now());
  time.advance(milliseconds(60));
  settler.observe("b", of_size(1), time.now());
  time.advance(milliseconds(60));
  EXPECT_TRUE(settler.observe("a", of_size(1), time.now()));
  EXPECT_FALSE(settler.observe("b", of_size(1), time.now()));
  settler.forget("a");
  EXPECT_FALSE(settler.observe("a", of_size(1), time.now()));
}

TEST(Settler, NoTimeToSettle) {
  Settler settler(Duration::zero());
  EXPECT_TRUE(settler.observe("m", of_size(1), ManualTime().now()));
}

}  // namespace
}  // namespace modelmill
