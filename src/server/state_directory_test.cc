#include "server/state_directory.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(StateDirectory, FollowsTheEnvironment) {
  EXPECT_EQ(default_state_directory("/x", "/h", false), "/x/modelmill");
  EXPECT_EQ(default_state_directory("/x", "/h", true), "/x/modelmill");
  EXPECT_EQ(default_state_directory("relative", "/h", false), "/h/.local/state/modelmill");
  EXPECT_EQ(default_state_directory("", "/h", false), "/h/.local/state/modelmill");
  EXPECT_EQ(default_state_directory("", "/h", true), "/var/lib/modelmill");
  EXPECT_EQ(default_state_directory("", "", false), "");
}

TEST(CacheDirectory, FollowsTheEnvironment) {
  EXPECT_EQ(default_cache_directory("/x", "/h", false), "/x/modelmill");
  EXPECT_EQ(default_cache_directory("relative", "/h", false), "/h/.cache/modelmill");
  EXPECT_EQ(default_cache_directory("", "/h", true), "/var/cache/modelmill");
  EXPECT_EQ(default_cache_directory("", "", false), "");
}

}  // namespace
}  // namespace modelmill
