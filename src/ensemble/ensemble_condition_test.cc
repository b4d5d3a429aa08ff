// Pipelines whose steps have conditions.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ensemble/testing/ensemble_test.h"

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using testing::fails;
using testing::floats_of;
using testing::gives;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class EnsembleConditionTest : public EnsembleRunTest {
 protected:
  /// The step runs only where the tensor is above 0.5.
  static void set_condition(EnsemblePlan& plan, size_t step, const std::string& name) {
    plan.conditional = true;
    plan.steps[step].when =
        StepCondition{name, StepCondition::Test::kAbove, 0.5, "", false, StepCondition::Reduction::kAll};
    for (size_t at = 0; at < plan.tensors.size(); ++at)
      if (plan.tensors[at] == name) plan.steps[step].when_tensor = at;
    auto& readers = plan.readers[plan.steps[step].when_tensor];
    if (std::find(readers.begin(), readers.end(), step) == readers.end()) readers.push_back(step);
  }
  static void set_alternatives(EnsemblePlan& plan, const std::vector<size_t>& steps) {
    plan.conditional = true;
    for (const size_t step : steps) plan.steps[step].alternatives = steps;
  }

  /// score, then large where it is above 0.5, else small, both to out.
  std::shared_ptr<EnsemblePlan> choice() {
    auto plan = plan_of({{"score", {{"x", "in"}}, {{"y", "score"}}},
                         {"large", {{"x", "in"}}, {{"y", "out"}}},
                         {"small", {{"x", "in"}}, {{"y", "out"}}}},
                        {"in"}, {"out"});
    set_condition(*plan, 1, "score");
    set_alternatives(*plan, {1, 2});
    return plan;
  }
};

TEST_F(EnsembleConditionTest, TheFirstAlternativeWhoseConditionIsTrueRuns) {
  make(choice());
  members_.add("score", gives(0.9F));
  members_.add("large", gives(10));
  members_.add("small", gives(1));
  const Asked above = ask("in");
  ASSERT_TRUE(above.status().ok()) << above.status().to_string();
  EXPECT_THAT(floats_of(above.answer().outputs.at(0)), ElementsAre(10));
  EXPECT_THAT(members_.asked, ElementsAre("score", "large"));
  members_.asked.clear();
  members_.add("score", gives(0.1F));
  const Asked below = ask("in");
  ASSERT_TRUE(below.status().ok()) << below.status().to_string();
  EXPECT_THAT(floats_of(below.answer().outputs.at(0)), ElementsAre(1));
  EXPECT_THAT(members_.asked, ElementsAre("score", "small"));
  expect_nothing_held();
  EXPECT_THAT(version_->explain().steps.at(1), HasSubstr("large (x: in) -> (y: out) when score above 0.5"));
  EXPECT_THAT(version_->explain().steps.at(2), HasSubstr("otherwise"));
}

TEST_F(EnsembleConditionTest, NothingRunsBeforeItIsDecided) {
  make(choice());
  members_.add("score", gives(0));
  members_.hold("score");
  members_.add("large", gives(10));
  members_.add("small", gives(1));
  const Asked asked = ask("in");
  EXPECT_THAT(members_.asked, ElementsAre("score")) << "small waits for the decision on large";
  gives(0.9F)(members_.take("score"));
  EXPECT_THAT(floats_of(asked.answer().outputs.at(0)), ElementsAre(10));
  members_.add("score", fails(internal("broken")));
  const Asked failed = ask("in");
  EXPECT_THAT(failed.status().message(), HasSubstr("model 'score': broken"));
  expect_nothing_held();
}

TEST_F(EnsembleConditionTest, WhatFollowsInABranchIsLeftOutWithIt) {
  auto plan = plan_of({{"score", {{"x", "in"}}, {{"y", "score"}}},
                       {"first", {{"x", "in"}}, {{"y", "middle"}}},
                       {"second", {{"x", "middle"}}, {{"y", "out"}}},
                       {"small", {{"x", "in"}}, {{"y", "out"}}}},
                      {"in"}, {"out"});
  set_condition(*plan, 1, "score");
  set_alternatives(*plan, {2, 3});
  make(plan);
  members_.add("first", gives(3));
  members_.add("second", gives(20));
  members_.add("small", gives(1));
  members_.add("score", gives(0.9F));
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(20));
  EXPECT_THAT(members_.asked, ElementsAre("score", "first", "second"));
  members_.asked.clear();
  members_.add("score", gives(0.1F));
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(1));
  EXPECT_THAT(members_.asked, ElementsAre("score", "small"));
  expect_nothing_held();
}

TEST_F(EnsembleConditionTest, AStepDoesWithoutAnOptionalTensorThatNobodyWrote) {
  auto plan =
      plan_of({{"extra", {{"x", "in"}}, {{"y", "more"}}}, {"last", {{"x", "in"}, {"z", "more"}}, {{"y", "out"}}}},
              {"in"}, {"out"});
  set_condition(*plan, 0, "in");  // the inputs are 1 and 2
  plan->steps[0].when->number = 1.5;
  plan->steps[1].inputs[1].optional = true;
  make(plan);
  members_.add("extra", gives(3));
  size_t inputs = 0;
  members_.add("last", [&inputs](InferRequestPtr request) {
    inputs = request->inputs.size();
    gives(7)(std::move(request));
  });
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(7));
  EXPECT_EQ(inputs, 1U) << "not all of the inputs are above 1.5";
  plan->steps[0].when->reduction = StepCondition::Reduction::kAny;
  EXPECT_THAT(floats_of(ask("in").answer().outputs.at(0)), ElementsAre(7));
  EXPECT_EQ(inputs, 2U);
  EXPECT_THAT(members_.asked, ElementsAre("last", "extra", "last"));
}

TEST_F(EnsembleConditionTest, AConditionSeesATensorThatOthersTakeToo) {
  // Both read the score, and the one whose condition looks at it comes last.
  auto plan = plan_of({{"score", {{"x", "in"}}, {{"y", "score"}}},
                       {"reader", {{"x", "score"}}, {{"y", "read"}}},
                       {"large", {{"x", "in"}}, {{"y", "out"}}},
                       {"small", {{"x", "in"}}, {{"y", "out"}}}},
                      {"in"}, {"out", "read"});
  set_condition(*plan, 2, "score");
  set_alternatives(*plan, {2, 3});
  make(plan);
  members_.add("score", gives(0.9F));
  members_.add("reader", gives(5));
  members_.add("large", gives(10));
  members_.add("small", gives(1));
  const Asked asked = ask("in");
  EXPECT_THAT(floats_of(asked.answer().outputs.at(0)), ElementsAre(10));
  EXPECT_THAT(members_.asked, UnorderedElementsAre("score", "reader", "large"));
  members_.asked.clear();
  EXPECT_THAT(floats_of(ask("in", {{"read"}}).answer().outputs.at(0)), ElementsAre(5));
  EXPECT_THAT(members_.asked, ElementsAre("score", "reader")) << "nobody needs the alternatives";
  expect_nothing_held();
}

}  // namespace
}  // namespace modelmill
