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
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(3));
  EXPECT_THAT(members_.asked, ElementsAre("a", "b", "a", "b"));
}

TEST_F(EnsembleCachedTest, WhatWasComputedByMembersBeforeIsNotKept) {
  members_.hold("b");
  const Asked asked = ask("in");
  members_.add("a", gives(1));  // while b works
  InferRequestPtr waiting = members_.take("b");
  gives(2)(std::move(waiting));
  EXPECT_TRUE(asked.status().ok());
  EXPECT_EQ(answers_->entries(), 0U);
}

TEST_F(EnsembleCachedTest, WhatComesAndGoesBesideItsMembersIsNothingToIt) {
  ask("in");
  members_.add("other", gives(5));
  ask("in");
  EXPECT_EQ(stats_->view().cache_hit.count, 1U);
  EXPECT_EQ(answers_->entries(), 1U);
  // Such a change while it is computed: it can't be told from one that was taken back.
  members_.add("b", gives(3));
  members_.hold("b");
  const Asked asked = ask("in");
  members_.at_change += 2;
  gives(3)(members_.take("b"));
  EXPECT_TRUE(asked.status().ok());
  EXPECT_EQ(answers_->entries(), 1U) << "that of before";
}

TEST_F(EnsembleCachedTest, WhileMembersChangeItIsPassedBy) {
  ask("in");
  ++members_.at_change;
  EXPECT_FALSE(version_->answers_epoch());
  ask("in");
  ++members_.at_change;
  EXPECT_EQ(answers_->entries(), 1U);
  EXPECT_EQ(stats_->view().cache_miss.count, 1U);
  ask("in");
  EXPECT_EQ(stats_->view().cache_hit.count, 1U) << "they are those of before";
}

TEST_F(EnsembleCachedTest, MembersThatAreEnsemblesSayForThemselves) {
  const auto change = [this](std::optional<uint64_t> epoch) {
    members_.versions.at("b")->epoch = epoch;
    members_.at_change += 2;
  };
  ask("in");
  change(1);
  ask("in");
  EXPECT_EQ(stats_->view().cache_miss.count, 2U);
  ask("in");
  EXPECT_EQ(stats_->view().cache_hit.count, 1U);
  change(std::nullopt);  // it has weights
  for (int i = 0; i < 2; ++i) ask("in");
  EXPECT_EQ(stats_->view().cache_hit.count, 1U);
  EXPECT_EQ(stats_->view().cache_miss.count, 2U) << "passed by";
}

TEST_F(EnsembleCachedTest, WhatDependsOnMoreThanVersionsIsNotSteady) {
  EXPECT_TRUE(epoch_->steady());
  make(combination(3));
  EXPECT_TRUE(version_->answers_epoch());
  make(combination(2));
  EXPECT_FALSE(version_->answers_epoch()) << "who answers in time makes the answer";
  EXPECT_FALSE(MemberEpoch(combination(3), members_, /*weighted=*/true).steady());
}

}  // namespace
}  // namespace modelmill
