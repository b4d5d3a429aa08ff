// Experiments of which the truth is known, 2,000 each, looked at after every pair of users: how often they end wrongly
// by chance, and how often they find what there is. docs/experiments.md tells of these.

#include <gtest/gtest.h>

#include <cmath>

#include "experiment/confidence_sequence.h"
#include "experiment/experiment_decision.h"
#include "experiment/testing/simulated_users.h"

namespace modelmill {
namespace {

constexpr int kRuns = 2'000;
constexpr double kAlpha = 0.05;
/// What a share that is 5% in truth may be in so many runs: 1 point.
constexpr double kMostErrors = 0.06;
constexpr double kPowerError = 0.05;

/// The share of runs in which the interval leaves 0 behind, ever. `first`: the users of each arm before that.
template <typename Interval, typename Arm, typename Base>
double share_decided(Interval interval, int pairs, uint64_t first, Arm arm_value, Base base_value) {
  int decided = 0;
  for (int run = 0; run < kRuns; ++run) {
    SimulatedUsers users(static_cast<uint64_t>(run) + 1);
    ValueTotals arm, base;
    for (int i = 0; i < pairs; ++i) {
      arm.add(arm_value(users));
      base.add(base_value(users));
      if (arm.users < first) continue;
      const DifferenceInterval found = interval(arm, base, kAlpha, 2.0 * pairs);
      if (!found.is_known || (found.low <= 0 && found.high >= 0)) continue;
      ++decided;
      break;
    }
  }
  return static_cast<double>(decided) / kRuns;
}

auto binary(double rate) {
  return [rate](SimulatedUsers& users) { return users.binary(rate); };
}
auto exponential(double mean) {
  return [mean](SimulatedUsers& users) { return users.exponential(mean); };
}
auto normal(double mean, double deviation) {
  return [=](SimulatedUsers& users) { return users.normal(mean, deviation); };
}

double variance_between(double rate, double other) { return (rate * (1 - rate) + other * (1 - other)) / 2; }

TEST(ExperimentSimulationTest, RatesThatAreTheSameRarelyDiffer) {
  EXPECT_LE(share_decided(rate_interval, 2'000, 100, binary(0.05), binary(0.05)), kMostErrors);
  EXPECT_LE(share_decided(rate_interval, 2'000, 100, binary(0.5), binary(0.5)), kMostErrors);
}

TEST(ExperimentSimulationTest, RareConversionsRarelyDifferByChance) {
  EXPECT_LE(share_decided(rate_interval, 3'000, 100, binary(0.01), binary(0.01)), kMostErrors);
}

TEST(ExperimentSimulationTest, MeansThatAreTheSameRarelyDiffer) {
  EXPECT_LE(share_decided(difference_interval, 2'000, 100, normal(10, 2), normal(10, 2)), kMostErrors);
  EXPECT_LE(share_decided(difference_interval, 2'000, 100, exponential(3), exponential(3)), kMostErrors);
}

TEST(ExperimentSimulationTest, TheIntervalRarelyMissesADifferenceThatIsThere) {
  // Coverage: what is shifted by the truth must not differ from it.
  const auto shifted = [](const ValueTotals& arm, const ValueTotals& base, double alpha, double planned) {
    DifferenceInterval found = rate_interval(arm, base, alpha, planned);
    found.low -= 0.1;
    found.high -= 0.1;
    return found;
  };
  EXPECT_LE(share_decided(shifted, 2'000, 100, binary(0.3), binary(0.2)), kMostErrors);
}

TEST(ExperimentSimulationTest, ThePowerIsTheOneThatWasCalculated) {
  constexpr int kPairs = 2'000;
  for (const double rate : {0.13, 0.14, 0.15}) {
    const double calculated = power_of(rate - 0.10, variance_between(0.10, rate), 2.0 * kPairs, 200, kAlpha);
    EXPECT_NEAR(share_decided(rate_interval, kPairs, 100, binary(rate), binary(0.10)), calculated, kPowerError) << rate;
  }
  const double of_mean = power_of(0.3, 4, 2.0 * kPairs, 200, kAlpha);
  EXPECT_GT(of_mean, 0.5);
  EXPECT_NEAR(share_decided(difference_interval, kPairs, 100, normal(10.3, 2), normal(10, 2)), of_mean, kPowerError);
}

/// Whole experiments, with a guardrail and users who come to arms by chance.
struct Ends {
  double winner = 0, breach = 0, ratio = 0, same = 0;
};
Ends run_experiments(double rate, double harm, double share, double margin = 0) {
  constexpr int kUsers = 4'000, kLook = 50;
  ExperimentDefinition definition;
  definition.goal.name = "purchase";
  definition.guardrails = {parse_guardrail("refund<=+1pp").value()};
  definition.users = kUsers;
  definition.margin = margin;
  const std::vector<ExperimentArm> arms{{"a", 0.5}, {"b", 0.5}};
  Ends ends;
  for (int run = 0; run < kRuns; ++run) {
    SimulatedUsers users(static_cast<uint64_t>(run) + 77'000);
    std::vector<ArmTotals> totals(2, ArmTotals(2));
    ExperimentVerdict verdict = ExperimentVerdict::kRunning;
    for (int i = 1; i <= kUsers && verdict == ExperimentVerdict::kRunning; ++i) {
      const bool is_b = users.uniform() < share;
      ArmTotals& arm = totals[is_b ? 1 : 0];
      ++arm.exposed;
      arm.metrics[0].add(users.binary(is_b ? rate : 0.2));
      arm.metrics[1].add(users.binary(is_b ? harm : 0.05));
      if (i % kLook == 0) verdict = read_experiment(definition, arms, 0, totals).verdict;
    }
    ends.winner += verdict == ExperimentVerdict::kWinner ? 1.0 / kRuns : 0;
    ends.breach += verdict == ExperimentVerdict::kGuardrailBreach ? 1.0 / kRuns : 0;
    ends.ratio += verdict == ExperimentVerdict::kSampleRatio ? 1.0 / kRuns : 0;
    ends.same += verdict == ExperimentVerdict::kNoDifference ? 1.0 / kRuns : 0;
  }
  return ends;
}

TEST(ExperimentSimulationTest, NothingIsFoundWhereNothingIs) {
  const Ends ends = run_experiments(0.2, 0.06, 0.5);
  EXPECT_LE(ends.winner, kMostErrors);
  EXPECT_LE(ends.breach, kMostErrors) << "the guardrail is at its limit";
  EXPECT_LE(ends.ratio, 0.004);
}

TEST(ExperimentSimulationTest, BrokenGuardrailsAndSharesAreFound) {
  EXPECT_GE(run_experiments(0.2, 0.12, 0.5).breach, 0.9);
  EXPECT_GE(run_experiments(0.2, 0.05, 0.56).ratio, 0.9);
}

TEST(ExperimentSimulationTest, ArmsThatAreTheSameAreFoundToBe) {
  EXPECT_GE(run_experiments(0.2, 0.05, 0.5, 0.06).same, 0.9);
  EXPECT_LE(run_experiments(0.26, 0.05, 0.5, 0.06).same, kMostErrors) << "the difference is the margin";
}

}  // namespace
}  // namespace modelmill
