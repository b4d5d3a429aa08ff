#include "otlp/span_losses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

class SpanLossesTest : public ::testing::Test {
 protected:
  std::vector<std::pair<int64_t, std::string>> told_;
  SpanLosses losses_{[this](int64_t spans, const std::string& why) { told_.emplace_back(spans, why); }};
};

TEST_F(SpanLossesTest, TellsTheFirstAtOnce) {
  losses_.add(2, "a");
  EXPECT_THAT(told_, ElementsAre(Pair(2, "a")));
  losses_.add(3, "a");
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(SpanLossesTest, EveryReasonHasItsOwnNumber) {
  losses_.add(1, "a");
  losses_.add(2, "b");
  losses_.add(3, "a");
  losses_.add(4, "b");
  told_.clear();
  losses_.flush();
  EXPECT_THAT(told_, ElementsAre(Pair(6, "b"), Pair(3, "a")));
  told_.clear();
  losses_.flush();
  EXPECT_THAT(told_, IsEmpty());
}

TEST_F(SpanLossesTest, ReasonsDoNotGrowWithoutBound) {
  losses_.add(1, "first");
  for (int i = 0; i < 100; ++i) losses_.add(1, std::to_string(i));
  told_.clear();
  losses_.flush();
  ASSERT_EQ(told_.size(), 9U);
  EXPECT_EQ(told_[7].second, "7");
  EXPECT_THAT(told_[8], Pair(92, "for other reasons"));
}

}  // namespace
}  // namespace modelmill
