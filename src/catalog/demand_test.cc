#include "catalog/demand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TimePoint at(int seconds) { return TimePoint(std::chrono::seconds(seconds)); }

class DemandTest : public testing::Test {
 protected:
  DemandTest() {
    demand_.on_wanted([this](const std::string& model) { wanted_.push_back(model); });
  }
  Demand::Waiter waiter(const std::string& model, uint64_t bytes = 0) {
    return {model, kNever, nullptr, bytes, [this](const Status& status) { resumed_.push_back(status); }};
  }

  Demand demand_{Demand::Limits{3, 100, std::chrono::seconds(60)}};
  std::vector<std::string> wanted_;
  std::vector<Status> resumed_;
};

TEST_F(DemandTest, OneOfThoseThatWaitWantsTheModelAndAllGoWhenItIsSettled) {
  demand_.wait(waiter("a"), at(0));
  demand_.wait(waiter("a"), at(0));
  demand_.wait(waiter("b"), at(0));
  EXPECT_THAT(wanted_, ElementsAre("a", "b"));
  demand_.settle("a", ok_status());
  EXPECT_THAT(resumed_, ElementsAre(ok_status(), ok_status()));
  EXPECT_EQ(demand_.waiting(), 1U);
  demand_.wait(waiter("a"), at(0));
  EXPECT_THAT(wanted_, ElementsAre("a", "b", "a"));
  demand_.settle("a", internal("broken"));
  EXPECT_EQ(resumed_.back(), internal("broken"));
}

TEST_F(DemandTest, IsBoundedInNumberAndInBytes) {
  demand_.wait(waiter("a", 60), at(0));
  demand_.wait(waiter("a", 41), at(0));
  ASSERT_EQ(resumed_.size(), 1U);
  EXPECT_EQ(resumed_[0].code(), Code::kResourceExhausted);
  demand_.wait(waiter("a", 40), at(0));
  demand_.wait(waiter("b"), at(0));
  demand_.wait(waiter("b"), at(0));
  ASSERT_EQ(resumed_.size(), 2U);
  EXPECT_THAT(resumed_[1].message(), HasSubstr("3 requests wait for such models already"));
  demand_.settle("a", ok_status());
  demand_.wait(waiter("c", 100), at(0));
  EXPECT_EQ(demand_.waiting(), 2U) << "what has gone no longer counts";
}

TEST_F(DemandTest, NobodyWaitsTooLong) {
  Demand::Waiter hurried = waiter("a");
  hurried.deadline = at(5);
  Demand::Waiter leaving = waiter("a");
  leaving.cancel = std::make_shared<CancelToken>();
  const auto cancel = leaving.cancel;
  demand_.wait(std::move(hurried), at(0));
  demand_.wait(std::move(leaving), at(0));
  demand_.wait(waiter("a"), at(0));
  demand_.expire(at(4));
  EXPECT_TRUE(resumed_.empty());
  demand_.expire(at(5));
  ASSERT_EQ(resumed_.size(), 1U);
  EXPECT_EQ(resumed_[0].code(), Code::kDeadlineExceeded);
  cancel->cancel(CancelToken::Reason::kClientGone);
  demand_.expire(at(6));
  ASSERT_EQ(resumed_.size(), 2U);
  EXPECT_EQ(resumed_[1].code(), Code::kCancelled);
  demand_.expire(at(60));
  EXPECT_EQ(resumed_.size(), 3U);
  EXPECT_EQ(demand_.waiting(), 0U);
}

TEST(DemandWithoutControlTest, NobodyWaitsForNobody) {
  Demand demand;
  Status got;
  demand.wait({"a", kNever, nullptr, 0, [&](const Status& status) { got = status; }}, at(0));
  EXPECT_EQ(got.code(), Code::kUnavailable);
}

}  // namespace
}  // namespace modelmill
