#include "schedule/cost_model.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
constexpr auto kCpu = InstanceGroup::Kind::kCpu;
constexpr auto kGpu = InstanceGroup::Kind::kGpu;

std::string no_text() { return ""; }

TEST(CostModel, KeepsKindsAndClassesApart) {
  CostModel model(8);
  model.curve(kCpu, 1, no_text).learn(1, 1ms);
  model.curve(kGpu, 1, no_text).learn(1, 2ms);
  EXPECT_EQ(model.find(kCpu, 1)->expected(1), 1ms);
  EXPECT_EQ(model.find(kGpu, 1)->expected(1), 2ms);
  EXPECT_EQ(model.learned().size(), 2u);
}

TEST(CostModel, ANewClassGoesByTheOneUsedLast) {
  CostModel model(8);
  EXPECT_EQ(model.find(kCpu, 1), nullptr);
  model.curve(kCpu, 1, no_text).learn(1, 1ms);
  model.curve(kCpu, 2, no_text).learn(1, 5ms);
  EXPECT_EQ(model.find(kCpu, 3)->expected(1), 5ms);
  model.curve(kCpu, 1, no_text).learn(1, 1ms);
  EXPECT_EQ(model.find(kCpu, 3)->expected(1), 1ms);
  EXPECT_EQ(model.find(kGpu, 3), nullptr);
}

TEST(CostModel, ForgetsTheClassesUsedLongestAgo) {
  CostModel model(8);
  for (uint64_t c = 0; c < 1'000; ++c) model.curve(kCpu, c, no_text).learn(1, 1ms);
  EXPECT_EQ(model.learned().size(), CostModel::kMostCurves);
  EXPECT_TRUE(model.has(kCpu, 999));
  EXPECT_FALSE(model.has(kCpu, 0));
}

TEST(CostModel, GivesAndTakesWhatWasLearned) {
  CostModel before(8);
  for (int i = 0; i < 4; ++i) before.curve(kCpu, 7, [] { return std::string("x FP32[*,4]"); }).learn(2, 1ms);
  CostModel after(8);
  after.seed(before.learned());
  const auto learned = after.learned();
  ASSERT_EQ(learned.size(), 1u);
  EXPECT_EQ(learned[0].shapes, "x FP32[*,4]");
  EXPECT_EQ(learned[0].shape_class, 7u);
  EXPECT_EQ(after.find(kCpu, 7)->expected(2), 1ms);
}

TEST(CostModel, SeedsAreBoundedToo) {
  std::vector<LearnedCost> many;
  for (uint64_t c = 0; c < 1'000; ++c) many.push_back({kCpu, c, "", {{1, 1ms, 1ms, 3}}});
  CostModel model(8);
  model.seed(many);
  EXPECT_EQ(model.learned().size(), CostModel::kMostCurves);
}

}  // namespace
}  // namespace modelmill
