#include "catalog/ensemble_levels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct StepLine {
  std::string model;
  std::vector<std::string> reads, writes;
  bool decoupled = false;
};

class EnsembleLevelsTest : public ::testing::Test {
 protected:
  size_t tensor(const std::string& name) {
    for (size_t i = 0; i < plan_.tensors.size(); ++i)
      if (plan_.tensors[i] == name) return i;
    plan_.tensors.push_back(name);
    plan_.readers.emplace_back();
    plan_.writers.push_back(SIZE_MAX);
    return plan_.tensors.size() - 1;
  }

  void make(const std::vector<StepLine>& lines, const std::vector<std::string>& inputs,
            const std::vector<std::string>& outputs) {
    plan_ = {};
    plan_.name = "e";
    for (const StepLine& line : lines) {
      EnsemblePlan::Step step;
      step.model = line.model;
      step.decoupled = line.decoupled;
      for (const std::string& name : line.reads) {
        step.inputs.push_back({{"x" + std::to_string(step.inputs.size()), tensor(name)}});
        plan_.readers[tensor(name)].push_back(plan_.steps.size());
      }
      for (const std::string& name : line.writes) {
        step.outputs.push_back({"y" + std::to_string(step.outputs.size()), tensor(name)});
        plan_.writers[tensor(name)] = plan_.steps.size();
      }
      plan_.steps.push_back(std::move(step));
    }
    for (size_t& writer : plan_.writers)
      if (writer == SIZE_MAX) writer = plan_.steps.size();
    for (const std::string& name : inputs) plan_.inputs.push_back({name, tensor(name)});
    for (const std::string& name : outputs) plan_.outputs.push_back({{name, tensor(name)}});
  }

  static std::vector<std::string> models(const EnsemblePlan& plan) {
    std::vector<std::string> out;
    for (const EnsemblePlan::Step& step : plan.steps) out.push_back(step.model);
    return out;
  }
  template <typename Ports>
  static std::vector<std::string> names(const Ports& ports) {
    std::vector<std::string> out;
    for (const EnsemblePlan::Port& port : ports) out.push_back(port.name);
    return out;
  }

  EnsemblePlan plan_;
};

TEST_F(EnsembleLevelsTest, WithoutDecoupledStepsThereAreNone) {
  make({{"a", {"in"}, {"out"}}}, {"in"}, {"out"});
  ASSERT_TRUE(split_into_levels(plan_).ok());
  EXPECT_EQ(plan_.levels, nullptr);
}

TEST_F(EnsembleLevelsTest, ADecoupledStepThatNoOutputHangsOnMakesNone) {
  make({{"a", {"in"}, {"out"}}, {"d", {"in"}, {"unread"}, true}}, {"in"}, {"out"});
  ASSERT_TRUE(split_into_levels(plan_).ok());
  EXPECT_EQ(plan_.levels, nullptr);
}

TEST_F(EnsembleLevelsTest, StepsLieBeforeAndBehindIt) {
  make({{"after", {"part", "made"}, {"out"}},
        {"d", {"made"}, {"part"}, true},
        {"before", {"in"}, {"made"}},
        {"aside", {"in"}, {"side"}}},
       {"in"}, {"out", "side"});
  ASSERT_TRUE(split_into_levels(plan_, 5).ok());
  ASSERT_NE(plan_.levels, nullptr);
  const auto& levels = plan_.levels->levels;
  ASSERT_EQ(levels.size(), 2U);
  EXPECT_EQ(plan_.levels->most_under_way, 5U);
  EXPECT_THAT(plan_.levels->output_levels, ElementsAre(1, 0));
  EXPECT_THAT(models(*levels[0].passing), ElementsAre("before", "aside"));
  EXPECT_THAT(names(levels[0].passing->outputs), UnorderedElementsAre("made", "side"));
  EXPECT_THAT(names(levels[0].last->outputs), ElementsAre("side"));
  EXPECT_EQ(plan_.steps[levels[0].source].model, "d");
  EXPECT_FALSE(levels[0].reenters);
  EXPECT_EQ(levels[1].passing, nullptr);
  EXPECT_THAT(models(*levels[1].last), ElementsAre("after"));
  EXPECT_THAT(names(levels[1].last->inputs), UnorderedElementsAre("part", "made", "side", "in"));
  EXPECT_THAT(names(levels[1].last->outputs), ElementsAre("out", "side"));
}

TEST_F(EnsembleLevelsTest, EachBehindAnotherIsALevel) {
  make({{"d", {"in"}, {"a"}, true}, {"d", {"a"}, {"b"}, true}, {"m", {"b"}, {"out"}}}, {"in"}, {"out"});
  ASSERT_TRUE(split_into_levels(plan_).ok());
  ASSERT_EQ(plan_.levels->levels.size(), 3U);
  EXPECT_EQ(plan_.levels->levels[0].source, 0U);
  EXPECT_TRUE(plan_.levels->levels[0].reenters) << "level 1 asks d again";
  EXPECT_EQ(plan_.levels->levels[1].source, 1U);
  EXPECT_FALSE(plan_.levels->levels[1].reenters);
  EXPECT_THAT(models(*plan_.levels->levels[2].last), ElementsAre("m"));
}

TEST_F(EnsembleLevelsTest, ThoseSideBySideDoNotMeet) {
  make({{"d", {"in"}, {"a"}, true}, {"e", {"in"}, {"b"}, true}, {"m", {"a", "b"}, {"out"}}}, {"in"}, {"out"});
  Status status = split_into_levels(plan_);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.message(), HasSubstr("in ensemble e, step of model 'm' receives inputs originated from different "
                                          "decoupled models"));
  make({{"d", {"in"}, {"a"}, true}, {"e", {"in"}, {"b"}, true}}, {"in"}, {"a", "b"});
  status = split_into_levels(plan_);
  EXPECT_THAT(status.message(), HasSubstr("step of model 'e' receives inputs originated from different"));
}

TEST_F(EnsembleLevelsTest, ADecoupledStepHasNoCondition) {
  make({{"d", {"in"}, {"out"}, true}}, {"in"}, {"out"});
  plan_.conditional = true;
  plan_.steps[0].when = StepCondition{"in"};
  const Status status = split_into_levels(plan_);
  EXPECT_EQ(status.code(), Code::kUnimplemented);
  EXPECT_THAT(status.message(), HasSubstr("model d gives any number of answers"));
}

}  // namespace
}  // namespace modelmill
