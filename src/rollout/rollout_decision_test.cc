#include "rollout/rollout_decision.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace modelmill {
namespace {

using ::testing::HasSubstr;

RolloutPlan plan(std::initializer_list<const char*> gates) {
  RolloutPlan plan;
  plan.steps = parse_steps("5,50,100", std::chrono::minutes(1)).value();
  for (const char* gate : gates) plan.gates.push_back(parse_gate(gate).value());
  return plan;
}

LatencyCounts all_at(uint64_t n, double ms) {
  LatencyCounts counts(kLatencyHistogramBuckets);
  counts[latency_bucket(static_cast<uint64_t>(ms * 1e6))] = n;
  return counts;
}

ArmCounts arm(uint64_t requests, uint64_t errors, double ms, std::map<int64_t, LatencyCounts> compute = {}) {
  return {requests, errors, all_at(requests - errors, ms), std::move(compute)};
}

TEST(RolloutDecisionTest, GatesAreRead) {
  const auto error = parse_gate("error_rate <= +0.5pp");
  ASSERT_TRUE(error.ok());
  EXPECT_EQ(error->text, "error_rate<=+0.5pp");
  EXPECT_EQ(error->kind, RolloutGate::Kind::kErrorDifference);
  EXPECT_DOUBLE_EQ(error->limit, 0.005);
  EXPECT_EQ(parse_gate("error_rate<=1%")->kind, RolloutGate::Kind::kErrorLimit);
  EXPECT_EQ(parse_gate("p99<=1.2x")->kind, RolloutGate::Kind::kLatencyRatio);
  EXPECT_DOUBLE_EQ(parse_gate("p99.9<=50ms")->quantile, 0.999);
  EXPECT_DOUBLE_EQ(parse_gate("p50<=50ms")->limit, 50'000);
  EXPECT_EQ(parse_gate("disagreement<=2%")->kind, RolloutGate::Kind::kDisagreement);
  EXPECT_DOUBLE_EQ(parse_gate("disagreement <= 2%")->limit, 0.02);
  EXPECT_EQ(parse_gate("memory<=1.5x")->kind, RolloutGate::Kind::kMemoryRatio);
  EXPECT_EQ(parse_gate("memory <= 2 GiB")->kind, RolloutGate::Kind::kMemoryLimit);
  EXPECT_EQ(parse_gate("memory<=2GiB")->limit, 2.0 * (1 << 30));
  for (const char* bad : {"",
                          "memory<=0.5x",
                          "memory<=0",
                          "memory<=+10%",
                          "error_rate",
                          "error_rate<=",
                          "error_rate<=0.5",
                          "error_rate<=+0.5%",
                          "error_rate<=-1pp",
                          "error_rate<=nan%",
                          "p99<=0.5x",
                          "p99<=x",
                          "p0<=1.2x",
                          "p100<=1.2x",
                          "p<=2x",
                          "q99<=2x",
                          "p99<=50",
                          "p99>=2x",
                          "error_rate<=200%",
                          "disagreement<=0%",
                          "disagreement<=100%",
                          "disagreement<=+2pp",
                          "disagreement<=2",
                          "disagree<=2%"})
    EXPECT_THAT(parse_gate(bad).status().message(), HasSubstr("gates are such as")) << bad;
}

TEST(RolloutDecisionTest, StepsAreRead) {
  const auto steps = parse_steps("5,25@2h,100", std::chrono::minutes(10));
  ASSERT_TRUE(steps.ok());
  EXPECT_EQ(steps_text(*steps), "5@10m,25@2h,100@10m");
  EXPECT_EQ(parse_steps(steps_text(*steps), {}).value(), *steps);
  const auto shadow = parse_steps("shadow:10@30m,shadow:100,5,100", std::chrono::minutes(10));
  ASSERT_TRUE(shadow.ok());
  EXPECT_TRUE((*shadow)[0].is_shadow && (*shadow)[1].is_shadow && !(*shadow)[2].is_shadow);
  EXPECT_EQ(steps_text(*shadow), "shadow:10@30m,shadow:100@10m,5@10m,100@10m");
  EXPECT_EQ(parse_steps(steps_text(*shadow), {}).value(), *shadow);
  const auto fine = parse_steps("33.33333,33.333333,99.9999999,100", std::chrono::minutes(1));
  ASSERT_TRUE(fine.ok());
  EXPECT_EQ(parse_steps(steps_text(*fine), {}).value(), *fine);
  EXPECT_EQ(hold_text(std::chrono::milliseconds(1'500)), "1500ms");
  EXPECT_EQ(hold_text({}), "0s");
  EXPECT_EQ(parse_hold("0s").value().count(), 0);
  const std::pair<const char*, const char*> bad[] = {{"", "is not a percentage"},
                                                     {"5,x,100", "step 'x'"},
                                                     {"5,5,100", "must grow"},
                                                     {"50,25,100", "must grow"},
                                                     {"5,25", "must end with 100"},
                                                     {"100", "need one below 100"},
                                                     {"0,100", "is not a percentage"},
                                                     {"5@,100", "not a hold time"},
                                                     {"5@1y,100", "not a hold time"},
                                                     {"5,,100", "step ''"},
                                                     {"shadow:10,100", "need one below 100"},
                                                     {"5,shadow:10,100", "come before all that have traffic"},
                                                     {"shadow:10,shadow:5,5,100", "must grow"},
                                                     {"5,shadow:100", "come before all"},
                                                     {"shadow:100", "must end with 100"},
                                                     {"shadow:0,5,100", "is not a percentage"},
                                                     {"shadow,5,100", "step 'shadow'"}};
  for (const auto& [text, says] : bad) EXPECT_THAT(parse_steps(text, {}).status().message(), HasSubstr(says)) << text;
  for (const char* text : {"", "10", "-1s", "31d", "1e99s", "nans", "10 m"})
    EXPECT_FALSE(parse_hold(text).ok()) << text;
  EXPECT_THAT(check_gates(plan({"p99<=2x", "p99<=3x"}).gates).message(), HasSubstr("limit the same"));
  EXPECT_TRUE(check_gates(plan({"p99<=2x", "p99<=3ms", "p95<=2x", "error_rate<=1%"}).gates).ok());
}

struct Case {
  const char* name;
  size_t step;
  bool hold_is_over;
  ArmCounts canary, baseline;
  RolloutVerdict verdict;
  const char* why;
};

TEST(RolloutDecisionTest, Table) {
  const RolloutPlan plan = modelmill::plan({"error_rate<=+0.5pp", "p99<=1.2x"});
  using enum RolloutVerdict;
  const Case cases[] = {
      {"nothing yet", 0, false, {}, {}, kWait, "hold time is not over"},
      {"good, and early", 0, false, arm(9'000, 9, 5), arm(90'000, 90, 5), kWait, "hold time is not over"},
      {"no traffic", 0, true, {}, {}, kHold, "canary 0 and baseline 0 requests; each needs 100"},
      {"little traffic", 0, true, arm(99, 0, 5), arm(900, 0, 5), kHold, "canary 99 and baseline 900"},
      {"no baseline", 0, true, arm(500, 0, 5), arm(9, 0, 5), kHold, "each needs 100"},
      {"enough to grow", 0, true, arm(100, 0, 5), arm(1'900, 0, 5), kGoOn, "no gate is breached"},
      {"too little to prove it", 1, true, arm(900, 9, 5), arm(900, 9, 5), kHold, "to prove error_rate<=+0.5pp"},
      {"proven", 1, true, arm(40'000, 40, 5), arm(40'000, 40, 5), kGoOn, "every gate is proven"},
      {"errors", 0, false, arm(1'000, 100, 5), arm(19'000, 19, 5), kRollBack,
       "gate error_rate<=+0.5pp is breached: canary 10.00%, baseline 0.10%"},
      {"both have errors", 0, true, arm(1'000, 100, 5), arm(19'000, 1'900, 5), kGoOn, "no gate is breached"},
      {"slow", 0, false, arm(2'000, 0, 9), arm(19'000, 0, 5), kRollBack,
       "gate p99<=1.2x is breached: canary 8.98 ms, baseline 5.01 ms"},
      {"all is served by it", 2, true, arm(100, 0, 5), {}, kPromote, "no gate is breached"},
      {"nothing is served at all", 2, true, arm(9, 0, 5), {}, kHold, "not enough traffic"},
      {"what compares has nothing to do then", 2, false, arm(900, 900, 9), {}, kWait, "hold time"},
  };
  for (const Case& one : cases) {
    const RolloutDecision decision = decide(plan, one.step, one.hold_is_over, {one.canary, one.baseline});
    EXPECT_EQ(decision.verdict, one.verdict) << one.name << ": " << decision.why;
    EXPECT_THAT(decision.why, HasSubstr(one.why)) << one.name;
  }
}

TEST(RolloutDecisionTest, LimitsHoldAtEveryStep) {
  const RolloutPlan plan = modelmill::plan({"error_rate<=1%", "p99<=7ms"});
  for (const size_t step : {0U, 1U, 2U}) {
    EXPECT_THAT(decide(plan, step, false, {arm(1'000, 90, 5), arm(1'000, 90, 5)}).why,
                HasSubstr("gate error_rate<=1% is breached: canary 9.00%"));
    EXPECT_THAT(decide(plan, step, false, {arm(1'000, 0, 9), arm(1'000, 0, 9)}).why,
                HasSubstr("gate p99<=7ms is breached: canary 8.98 ms"));
  }
  EXPECT_EQ(decide(plan, 1, true, {arm(9'000, 1, 5), arm(9'000, 1, 9)}).verdict, RolloutVerdict::kGoOn);
}

TEST(RolloutDecisionTest, AtAShadowsStepCopiesAreWhatTheCanaryIsAsked) {
  RolloutPlan plan = modelmill::plan({"error_rate<=+0.5pp", "error_rate<=5%", "p99<=1.2x", "p99<=7ms"});
  plan.steps = parse_steps("shadow:10,5,50,100", std::chrono::minutes(1)).value();
  using enum RolloutVerdict;
  const Case cases[] = {
      {"nothing yet", 0, false, {}, {}, kWait, "hold time is not over"},
      {"few copies", 0, true, arm(99, 0, 5), arm(9'000, 0, 5), kHold, "canary 99 copies and baseline 9000 requests"},
      {"enough", 0, true, arm(100, 0, 5), arm(900, 0, 5), kGoOn, "from canary 100 copies and"},
      {"copies fail", 0, false, arm(1'000, 40, 5), arm(9'000, 9, 5), kRollBack,
       "gate error_rate<=+0.5pp is breached: canary 4.00%, baseline 0.10%"},
      {"both fail", 0, false, arm(1'000, 200, 5), arm(9'000, 1'800, 5), kRollBack, "gate error_rate<=5% is breached"},
      {"computes slowly", 0, false, arm(1'000, 0, 9), arm(9'000, 0, 9), kRollBack,
       "gate p99<=7ms is breached: computing of the canary 8.98 ms"},
      {"factors say nothing of copies", 0, true, arm(1'000, 0, 6), arm(9'000, 0, 1), kGoOn, "no gate is breached"},
      {"afterwards they do", 1, true, arm(1'000, 0, 6), arm(9'000, 0, 1), kRollBack, "gate p99<=1.2x is breached"},
  };
  for (const Case& one : cases) {
    const RolloutDecision decision = decide(plan, one.step, one.hold_is_over, {one.canary, one.baseline, {}});
    EXPECT_EQ(decision.verdict, one.verdict) << one.name << ": " << decision.why;
    EXPECT_THAT(decision.why, HasSubstr(one.why)) << one.name;
  }
}

TEST(RolloutDecisionTest, AnswersThatDisagree) {
  RolloutPlan plan = modelmill::plan({"disagreement<=2%"});
  plan.steps = parse_steps("shadow:10,5,50,100", std::chrono::minutes(1)).value();
  using enum RolloutVerdict;
  struct Pairs {
    size_t step;
    bool hold_is_over;
    CopyCounts copies;
    RolloutVerdict verdict;
    const char* why;
  };
  const Pairs cases[] = {
      {0, false, {10, 0, 0, 0}, kWait, "hold time"},
      {0, false, {3, 1, 0, 0}, kWait, "hold time"},
      {0, false, {3, 3, 0, 0}, kRollBack, "disagreement<=2% is breached: 100.00% of 3 answers that were compared"},
      {1, false, {300, 30, 0, 0}, kRollBack, "disagreement<=2% is breached: 10.00% of 300 answers"},
      {0,
       true,
       {99, 0, 901, 7},
       kHold,
       "not enough answers to compare: 99; it takes 100 (of the copies 901 failed, 7 were shed and 0 could not be "
       "compared)"},
      {1, true, {99, 0, 0, 0}, kHold, "not enough answers to compare: 99"},
      {0, true, {100, 2, 0, 0}, kGoOn, "no gate is breached"},
      {1, true, {100, 2, 0, 0}, kGoOn, "no gate is breached"},
      {2, true, {100, 0, 0, 0}, kHold, "to prove disagreement<=2%: 0.00% of 100 answers"},
      {2, true, {2'000, 10, 0, 0}, kGoOn, "every gate is proven"},
      {2, true, {50'000, 1'000, 0, 0}, kHold, "to prove disagreement<=2%: 2.00%"},
      {3, true, {}, kPromote, "no gate is breached"},         // there is nobody to disagree with
      {0, true, {100, 101, 0, 0}, kRollBack, "is breached"},  // one was seen before its comparison was
  };
  for (const Pairs& one : cases) {
    const RolloutWindow window{arm(1'000, 0, 5), arm(9'000, 0, 5), one.copies};
    const RolloutDecision decision = decide(plan, one.step, one.hold_is_over, window);
    EXPECT_EQ(decision.verdict, one.verdict) << one.step << ": " << decision.why;
    EXPECT_THAT(decision.why, HasSubstr(one.why)) << one.step;
  }
  EXPECT_TRUE(plan.copies_at(0) && plan.copies_at(1) && plan.copies_at(2) && !plan.copies_at(3));
  plan.gates = modelmill::plan({"p99<=2x"}).gates;
  EXPECT_TRUE(plan.copies_at(0) && !plan.copies_at(1));
}

TEST(RolloutDecisionTest, SlowerCountsOnlyIfItComputesSlower) {
  const RolloutPlan plan = modelmill::plan({"p99<=1.2x"});
  // The canary's batches are small, and the baseline's large ones are faster for each request.
  RolloutWindow window{arm(5'000, 0, 9, {{1, all_at(5'000, 4)}}),
                       arm(50'000, 0, 5, {{1, all_at(100, 4)}, {8, all_at(6'000, 3)}})};
  EXPECT_EQ(decide(plan, 0, false, window).verdict, RolloutVerdict::kWait);
  EXPECT_THAT(decide(plan, 0, false, window).readings[0].text, HasSubstr("computing at equal batch sizes: canary"));
  window.canary.compute = {{1, all_at(5'000, 8)}};
  EXPECT_EQ(decide(plan, 0, false, window).verdict, RolloutVerdict::kRollBack);
  // Slow computing that nobody notices is none of the gate's business.
  window.canary.latency = all_at(5'000, 5);
  EXPECT_EQ(decide(plan, 0, false, window).verdict, RolloutVerdict::kWait);
  // Without a size in common it is the latency alone.
  window.canary.latency = all_at(5'000, 9);
  window.canary.compute = {{4, all_at(5'000, 1)}};
  EXPECT_EQ(decide(plan, 0, false, window).verdict, RolloutVerdict::kRollBack);
}

TEST(RolloutDecisionTest, ComputingIsWeightedAsTheCanarysBatchesAre) {
  const RolloutWindow window{arm(0, 0, 1, {{1, all_at(90, 2)}, {8, all_at(10, 6)}}),
                             arm(0, 0, 1, {{1, all_at(10, 2)}, {8, all_at(9'000, 4)}, {16, all_at(5, 50)}})};
  EXPECT_NEAR(compare_compute(window, 0.5).baseline_us, 2'000, 40);  // not 4,000: most of the canary's are of one row
  EXPECT_NEAR(compare_compute(window, 0.95).baseline_us, 4'000, 80);
  EXPECT_NEAR(compare_compute(window, 0.95).canary_us, 6'000, 120);
  EXPECT_EQ(compare_compute({}, 0.5).baseline_us, 0);
}

TEST(RolloutDecisionTest, BurstsOfErrors) {
  EXPECT_TRUE(is_error_burst({arm(12, 10, 1), arm(100, 1, 1)}));
  EXPECT_FALSE(is_error_burst({arm(9, 9, 1), arm(100, 1, 1)}));      // too few
  EXPECT_FALSE(is_error_burst({arm(100, 30, 1), arm(100, 1, 1)}));   // for the gates to say
  EXPECT_FALSE(is_error_burst({arm(100, 90, 1), arm(100, 80, 1)}));  // the baseline is no better
  EXPECT_FALSE(is_error_burst({}));
}

TEST(RolloutDecisionTest, Memory) {
  const RolloutPlan plan = modelmill::plan({"memory<=1.5x", "memory<=1GiB"});
  using enum RolloutVerdict;
  const auto with = [](uint64_t mib) {
    ArmCounts counts = arm(1'000, 0, 5);
    counts.memory_bytes = mib << 20;
    return counts;
  };
  struct Memory {
    size_t step;
    uint64_t canary, baseline;  // MiB
    RolloutVerdict verdict;
    const char* why;
  };
  const Memory cases[] = {
      {0, 150, 100, kGoOn, "no gate is breached"},
      {0, 151, 100, kRollBack, "gate memory<=1.5x is breached: canary 151.0 MiB, baseline 100.0 MiB"},
      {0, 1'025, 1'000, kRollBack, "gate memory<=1GiB is breached: canary 1.0 GiB"},
      {0, 0, 100, kGoOn, "no gate is breached"},
      {1, 150, 100, kGoOn, "every gate is proven"},
      {1, 0, 100, kHold, "nothing proves memory<=1.5x: the memory of the canary is not known; Python models tell"},
      {1, 100, 0, kHold, "nothing proves memory<=1.5x: the memory of the baseline is not known"},
      {2, 900, 100, kPromote, "no gate is breached"},  // there is no baseline any more
      {2, 1'025, 0, kRollBack, "gate memory<=1GiB is breached"},
  };
  for (const Memory& one : cases) {
    const RolloutDecision decision = decide(plan, one.step, true, {with(one.canary), with(one.baseline), {}});
    EXPECT_EQ(decision.verdict, one.verdict) << one.canary << ": " << decision.why;
    EXPECT_THAT(decision.why, HasSubstr(one.why)) << one.canary;
  }
  RolloutWindow window{with(1), with(1), {}};
  EXPECT_FALSE(is_crash(window));
  window.canary.crashes = 1;
  EXPECT_TRUE(is_crash(window));
  window.baseline.crashes = 1;
  EXPECT_FALSE(is_crash(window)) << "what ends both is not the canary's fault";
}

}  // namespace
}  // namespace modelmill
