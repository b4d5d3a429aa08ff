#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "ensemble/testing/ensemble_test.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using testing::floats_of;
using testing::gives;

class EnsembleCachedTest : public EnsembleRunTest {
 protected:
  void SetUp() override {
    answers_ = std::make_shared<ResponseCache>(CacheLimits{.bytes = 1 << 20});
    members_.add("a", gives(1));
    members_.add("b", gives(2));
    make(plan_of({{"a", {{"x", "in"}}, {{"y", "middle"}}}, {"b", {{"x", "middle"}}, {{"y", "out"}}}}, {"in"}, {"out"}));
  }
};

TEST_F(EnsembleCachedTest, AHitAsksNoMember) {
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(2));
  EXPECT_THAT(members_.asked, ElementsAre("a", "b"));
  const Asked again = ask("in");
  EXPECT_THAT(floats_of(again.answer().outputs.at(0)), ElementsAre(2));
  EXPECT_EQ(again.answer().version, 7);
  EXPECT_THAT(members_.asked, ElementsAre("a", "b"));
  const auto view = stats_->view();
  EXPECT_EQ(view.cache_hit.count, 1U);
  EXPECT_EQ(view.cache_miss.count, 1U);
  EXPECT_EQ(view.success.count, 2U);
  EXPECT_EQ(view.execution_count, 1U);
  expect_nothing_held();
}

TEST_F(EnsembleCachedTest, OtherMembersAreAskedAgain) {
  ask("in");
  members_.add("b", gives(3));
  epoch_ = 1;
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(3));
  EXPECT_THAT(members_.asked, ElementsAre("a", "b", "a", "b"));
}

TEST_F(EnsembleCachedTest, WhatWasComputedByMembersBeforeIsNotKept) {
  members_.hold("b");
  const Asked asked = ask("in");
  epoch_ = 1;  // while a member works
  InferRequestPtr waiting = members_.take("b");
  gives(2)(std::move(waiting));
  EXPECT_TRUE(asked.status().ok());
  EXPECT_EQ(answers_->entries(), 0U);
}

}  // namespace
}  // namespace modelmill
