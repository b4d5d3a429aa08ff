#include "catalog/copy_counts.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

TEST(CopyCountsTest, WhatIsNew) {
  const CopyCounts before{.compared = 4, .disagreed = 1, .failed = 2, .shed = 7, .not_compared = 1};
  const CopyCounts now{.compared = 9, .disagreed = 3, .failed = 2, .shed = 9, .not_compared = 2};
  const CopyCounts more{.compared = 5, .disagreed = 2, .failed = 0, .shed = 2, .not_compared = 1};
  EXPECT_EQ(counted_since(now, before), more);
  CopyCounts sum = before;
  add_to(sum, more);
  EXPECT_EQ(sum, now);
  EXPECT_EQ(counted_since(before, now), before) << "they began anew";
}

}  // namespace
}  // namespace modelmill
