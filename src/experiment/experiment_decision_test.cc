#include "experiment/experiment_decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

/// So many users, of which some have 1.
ValueTotals rate(uint64_t users, uint64_t ones) {
  ValueTotals totals;
  totals.users = users;
  totals.mean = static_cast<double>(ones) / static_cast<double>(users);
  totals.squares = static_cast<double>(users) * totals.mean * (1 - totals.mean);
  return totals;
}

ValueTotals values(uint64_t users, double mean, double deviation) {
  return {users, mean, static_cast<double>(users - 1) * deviation * deviation};
}

ArmTotals arm(const ValueTotals& goal, const ValueTotals& guardrail = rate(5'000, 500)) {
  ArmTotals totals(2);
  totals.exposed = goal.users;
  totals.metrics = {goal, guardrail};
  return totals;
}

ExperimentDefinition definition(const char* goal = "purchase", double margin = 0) {
  ExperimentDefinition made;
  made.goal = parse_goal(goal).value();
  made.guardrails = {parse_guardrail("refund<=+1pp").value()};
  made.margin = margin;
  return made;
}

const std::vector<ExperimentArm> kTwo{{"m@1", 0.5}, {"m@2", 0.5}};
const std::vector<ExperimentArm> kThree{{"m@1", 0.4}, {"m@2", 0.3}, {"m@3", 0.3}};

ExperimentReading read(const ExperimentDefinition& definition, const std::vector<ArmTotals>& totals) {
  return read_experiment(definition, totals.size() == 2 ? kTwo : kThree, 0, totals);
}

TEST(ExperimentDecisionTest, TheBetterArmWins) {
  const auto reading = read(definition(), {arm(rate(5'000, 500)), arm(rate(5'000, 700))});
  EXPECT_EQ(reading.verdict, ExperimentVerdict::kWinner);
  EXPECT_EQ(reading.arm, 1U);
  EXPECT_NEAR(reading.differences[1].difference, 0.04, 1e-9);
  EXPECT_GT(reading.differences[1].low, 0);
  EXPECT_THAT(reading.why, HasSubstr("m@2 is better in purchase"));
  EXPECT_EQ(read(definition(), {arm(rate(5'000, 700)), arm(rate(5'000, 500))}).arm, 0U) << "control can win";
  EXPECT_EQ(read(definition("purchase:lower"), {arm(rate(5'000, 500)), arm(rate(5'000, 700))}).arm, 0U);
  EXPECT_EQ(read(definition("x:mean"), {arm(values(5'000, 10, 2)), arm(values(5'000, 11, 2))}).verdict,
            ExperimentVerdict::kWinner);
}

TEST(ExperimentDecisionTest, LittleIsNotDecided) {
  EXPECT_EQ(read(definition(), {arm(rate(5'000, 500)), arm(rate(5'000, 510))}).verdict, ExperimentVerdict::kRunning);
  const auto few = read(definition(), {arm(rate(99, 10)), arm(rate(99, 90))});
  EXPECT_EQ(few.verdict, ExperimentVerdict::kRunning);
  EXPECT_THAT(few.why, HasSubstr("99 of 100 users"));
  const auto rare = read(definition(), {arm(rate(5'000, 0)), arm(rate(5'000, 19))});
  EXPECT_EQ(rare.verdict, ExperimentVerdict::kRunning) << "19 conversions are too few to speak of";
  EXPECT_FALSE(rare.differences[1].is_known);
  EXPECT_FALSE(read(definition("x:mean"), {arm(values(500, 1, 0)), arm(values(500, 1, 0))}).differences[1].is_known);
  const auto none = read(definition(), {ArmTotals(2), ArmTotals(2)});
  EXPECT_EQ(none.verdict, ExperimentVerdict::kRunning);
  EXPECT_EQ(none.ratio_evidence, 0);
}

TEST(ExperimentDecisionTest, WithinTheMarginThereIsNoDifference) {
  EXPECT_EQ(read(definition("purchase", 0.03), {arm(rate(5'000, 500)), arm(rate(5'000, 505))}).verdict,
            ExperimentVerdict::kNoDifference);
  EXPECT_EQ(read(definition("purchase", 0.005), {arm(rate(5'000, 500)), arm(rate(5'000, 505))}).verdict,
            ExperimentVerdict::kRunning);
}

TEST(ExperimentDecisionTest, ABrokenGuardrailKeepsAnArmFromWinning) {
  const auto reading = read(definition(), {arm(rate(5'000, 500)), arm(rate(5'000, 700), rate(5'000, 800))});
  EXPECT_EQ(reading.verdict, ExperimentVerdict::kGuardrailBreach);
  EXPECT_EQ(reading.arm, 1U);
  EXPECT_THAT(reading.why, HasSubstr("m@2 breaks refund<=+1pp"));
  ASSERT_EQ(reading.guardrails.size(), 1U);
  EXPECT_EQ(reading.guardrails[0].state, GuardrailState::kBreached);
  EXPECT_EQ(read(definition(), {arm(rate(5'000, 500)), arm(rate(5'000, 700), rate(5'000, 300))}).guardrails[0].state,
            GuardrailState::kKept);
  EXPECT_EQ(read(definition(), {arm(rate(5'000, 500)), arm(rate(5'000, 500), rate(5'000, 550))}).guardrails[0].state,
            GuardrailState::kOpen);
}

TEST(ExperimentDecisionTest, AWrongSampleRatioOverridesAll) {
  std::vector<ArmTotals> totals{arm(rate(5'000, 500)), arm(rate(5'000, 700))};
  totals[1].exposed = 5'600;
  const auto reading = read(definition(), totals);
  EXPECT_EQ(reading.verdict, ExperimentVerdict::kSampleRatio);
  EXPECT_GT(reading.ratio_evidence, std::log(1 / kSampleRatioAlpha));
  EXPECT_THAT(reading.why, HasSubstr("m@2 has 5600 where 5300 are due"));
  totals[1].exposed = 5'050;
  EXPECT_EQ(read(definition(), totals).verdict, ExperimentVerdict::kWinner);
}

TEST(ExperimentDecisionTest, AllUsersInOneArmAreFoundOutSoon) {
  const std::vector<double> shares{0.5, 0.5};
  EXPECT_GT(sample_ratio_evidence(std::vector<uint64_t>{40, 0}, shares), std::log(1 / kSampleRatioAlpha));
  EXPECT_LT(sample_ratio_evidence(std::vector<uint64_t>{5, 0}, shares), std::log(1 / kSampleRatioAlpha));
  EXPECT_LT(sample_ratio_evidence(std::vector<uint64_t>{505'000, 495'500}, std::vector<double>{0.505, 0.495}), 0);
}

TEST(ExperimentDecisionTest, OfThreeArmsTheWinnerBeatsBothOthers) {
  const ValueTotals good = rate(5'000, 800), same = rate(5'000, 790), base = rate(5'000, 500);
  std::vector<ArmTotals> totals{arm(base), arm(good), arm(same)};
  totals[0].exposed = 6'667;
  EXPECT_EQ(read(definition(), totals).verdict, ExperimentVerdict::kRunning);
  totals[2] = arm(base);
  EXPECT_EQ(read(definition(), totals).verdict, ExperimentVerdict::kWinner);
  EXPECT_EQ(read(definition(), totals).arm, 1U);
  EXPECT_EQ(read(definition(), totals).guardrails.size(), 2U);
}

TEST(ExperimentDecisionTest, ThePowerGrowsWithUsersAndDifference) {
  const double little = power_of(0.01, 0.1, 10'000, 200, 0.05);
  EXPECT_GT(power_of(0.02, 0.1, 10'000, 200, 0.05), little);
  EXPECT_GT(power_of(0.01, 0.1, 40'000, 200, 0.05), little);
  EXPECT_EQ(power_of(0, 0.1, 10'000, 200, 0.05), 0);
  EXPECT_NEAR(power_of(1, 0.1, 10'000, 200, 0.05), 1, 1e-3);
  EXPECT_NEAR(power_of(0.05, 0.1, 10'000, 10'000, 0.05), 1, 1e-3) << "one look, at the end";
  const auto reading = read_experiment(definition("purchase", 0.03), kTwo, 0,
                                       std::vector<ArmTotals>{arm(rate(5'000, 500)), arm(rate(5'000, 500))}, true);
  EXPECT_GT(reading.power, 0.8);
  EXPECT_LT(reading.power, 1);
}

}  // namespace
}  // namespace modelmill
