// Rollouts of arms of which the truth is known, 2,000 each: how often they end wrongly by chance. The sample sizes are
// those of docs/rollouts.md.

#include <gtest/gtest.h>

#include "rollout/testing/simulated_traffic.h"

namespace modelmill {
namespace {

constexpr int kRuns = 2'000;
/// What a share that is 5% in truth may be in so many runs: 1 point.
constexpr double kMostErrors = 0.06;

RolloutPlan plan_with(std::initializer_list<const char*> gates) {
  RolloutPlan plan;
  plan.steps = parse_steps("5,25,50,100", {}).value();
  for (const char* gate : gates) plan.gates.push_back(parse_gate(gate).value());
  return plan;
}

RolloutPlan default_plan() { return plan_with({"error_rate<=+0.5pp", "p99<=1.1x"}); }

struct Shares {
  double rolled_back = 0, promoted = 0;
};

/// Whole rollouts, which look at every step `looks` times while the canary answers `requests`.
Shares run(const RolloutPlan& plan, const SimulatedArm& canary, const SimulatedArm& baseline, uint64_t requests,
           int looks = 10) {
  Shares shares;
  for (int i = 0; i < kRuns; ++i) {
    SimulatedTraffic traffic(static_cast<uint64_t>(i) + 1);
    RolloutVerdict last = RolloutVerdict::kGoOn;
    for (size_t step = 0; step < plan.comparing_steps() && last == RolloutVerdict::kGoOn; ++step) {
      RolloutWindow window;
      const double percent = plan.steps[step].percent;
      const uint64_t some = requests / static_cast<uint64_t>(looks);
      last = RolloutVerdict::kWait;
      for (int look = 1; look <= looks && last != RolloutVerdict::kRollBack; ++look) {
        traffic.serve(canary, some, window.canary);
        traffic.serve(baseline, static_cast<uint64_t>(static_cast<double>(some) * (100 - percent) / percent),
                      window.baseline);
        // Only the last step may be left as soon as it can be: that is what chance has most of.
        const bool hold_is_over = look == looks || step + 1 == plan.comparing_steps();
        last = decide(plan, step, hold_is_over, window).verdict;
        if (hold_is_over && last == RolloutVerdict::kGoOn) break;
      }
    }
    if (last == RolloutVerdict::kRollBack) shares.rolled_back += 1.0 / kRuns;
    if (last == RolloutVerdict::kGoOn) shares.promoted += 1.0 / kRuns;
  }
  return shares;
}

TEST(RolloutSimulationTest, WithoutADifferenceItIsPromotedAndNotRolledBack) {
  const Shares shares = run(default_plan(), {}, {}, 40'000);
  EXPECT_LE(shares.rolled_back, kMostErrors);
  EXPECT_GE(shares.promoted, 0.9);
}

TEST(RolloutSimulationTest, SmallStepsAreLeftAndNothingIsRolledBackWithLittleTraffic) {
  const Shares shares = run(default_plan(), {0.05}, {0.05}, 300);
  EXPECT_LE(shares.rolled_back, kMostErrors);
  EXPECT_LE(shares.promoted, kMostErrors);
}

TEST(RolloutSimulationTest, AtTheLimitOfErrorsNeitherHappensByChance) {
  const Shares shares = run(plan_with({"error_rate<=+0.5pp"}), {0.015}, {0.01}, 20'000);
  EXPECT_LE(shares.rolled_back, kMostErrors);
  EXPECT_LE(shares.promoted, kMostErrors);
}

TEST(RolloutSimulationTest, AtTheLimitOfLatencyNeitherHappensByChance) {
  const Shares shares = run(plan_with({"p99<=1.1x"}), {0, 11'000}, {0, 10'000}, 20'000);
  EXPECT_LE(shares.rolled_back, kMostErrors);
  EXPECT_LE(shares.promoted, kMostErrors);
}

TEST(RolloutSimulationTest, OnePointMoreErrorsIsFound) {
  EXPECT_GE(run(default_plan(), {0.02}, {0.01}, 35'000).rolled_back, 0.9);
}

TEST(RolloutSimulationTest, AFifthMoreLatencyIsFound) {
  EXPECT_GE(run(default_plan(), {0.01, 12'000}, {0.01, 10'000}, 10'000).rolled_back, 0.9);
}

/// Whole rollouts, at every step of which so many answers are compared, and looked at `looks` times.
Shares run_pairs(double disagreement, uint64_t pairs, int looks = 20) {
  RolloutPlan plan = plan_with({"disagreement<=2%"});
  plan.steps = parse_steps("shadow:10,5,25,50,100", {}).value();
  Shares shares;
  for (int i = 0; i < kRuns; ++i) {
    SimulatedTraffic traffic(static_cast<uint64_t>(i) + 1);
    RolloutVerdict last = RolloutVerdict::kGoOn;
    for (size_t step = 0; step < plan.comparing_steps() && last == RolloutVerdict::kGoOn; ++step) {
      RolloutWindow window;
      const bool proves = step + 1 == plan.comparing_steps();
      last = RolloutVerdict::kWait;
      for (int look = 1; look <= looks && last != RolloutVerdict::kRollBack; ++look) {
        traffic.compare(disagreement, pairs / static_cast<uint64_t>(looks), window.copies);
        window.canary.requests = window.baseline.requests = window.copies.compared;
        last = decide(plan, step, look == looks || proves, window).verdict;
        if (proves && last == RolloutVerdict::kGoOn) break;
      }
    }
    if (last == RolloutVerdict::kRollBack) shares.rolled_back += 1.0 / kRuns;
    if (last == RolloutVerdict::kGoOn) shares.promoted += 1.0 / kRuns;
  }
  return shares;
}

TEST(RolloutSimulationTest, AtTheLimitOfDisagreementNeitherHappensByChance) {
  const Shares shares = run_pairs(0.02, 20'000);
  EXPECT_LE(shares.rolled_back, kMostErrors);
  EXPECT_LE(shares.promoted, kMostErrors);
}

TEST(RolloutSimulationTest, TwiceTheDisagreementIsFoundAndAQuarterIsPromoted) {
  EXPECT_GE(run_pairs(0.04, 800).rolled_back, 0.9);
  const Shares good = run_pairs(0.005, 1'000);
  EXPECT_GE(good.promoted, 0.9);
  EXPECT_LE(good.rolled_back, kMostErrors);
}

TEST(RolloutSimulationTest, AbsoluteLimitsAreKeptTo) {
  const RolloutPlan plan = plan_with({"error_rate<=1%", "p99<=20100us"});
  // The 99th percentile of the canary's latencies is 20,094 us.
  const Shares at_limit = run(plan, {0.01}, {0.01}, 20'000);
  EXPECT_LE(at_limit.rolled_back, kMostErrors);
  EXPECT_LE(at_limit.promoted, kMostErrors);
  EXPECT_GE(run(plan, {0.02}, {0.02}, 10'000).rolled_back, 0.9);
}

}  // namespace
}  // namespace modelmill
