#include "model/spelling.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(Spelling, EditDistance) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("abc", ""), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance("CUP", "CPU"), 1U);
}

TEST(Spelling, NearestIsCloseOrNothing) {
  const std::vector<std::string> names{"input", "output", "max_batch_size"};
  EXPECT_EQ(nearest("inptu", names), "input");
  EXPECT_EQ(nearest("maxbatchsize", names), "max_batch_size");
  EXPECT_EQ(nearest("zebra", names), "");
  EXPECT_EQ(nearest("", names), "");
  EXPECT_EQ(nearest(std::string(10'000, 'x'), names), "");
}

}  // namespace
}  // namespace modelmill
