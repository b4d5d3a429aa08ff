#include "schedule/batch_policy.h"

#include <gtest/gtest.h>

#include <functional>
#include <numeric>
#include <random>

#include "schedule/batch_price.h"

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using Action = BatchDecision::Action;

const TimePoint kBegin{std::chrono::seconds(100)};

struct PolicyCase {
  const char* what;
  BatchPolicy policy;
  std::vector<int64_t> rows;
  Duration waited;     // of the oldest
  TimePoint deadline;  // the nearest
  int idle;
  Action action;
  size_t requests;
  CutReason reason;
  Duration until;  // from when the oldest was queued
};

const BatchPolicy kEager{.max_rows = 8};
const BatchPolicy kDelay{.max_rows = 8, .max_delay = 100us};
const BatchPolicy kPreferred{.max_rows = 8, .preferred = {2, 4}, .max_delay = 100us};
const BatchPolicy kPreferredNoDelay{.max_rows = 8, .preferred = {4}};
constexpr auto kIdle = CutReason::kIdleInstance;
constexpr auto kFull = CutReason::kFull;

const PolicyCase kPolicyCases[] = {
    {"nothing waits", kEager, {}, 0us, kNever, 1, Action::kNothing, 0, kIdle, 0us},
    {"no instance is idle", kEager, {1, 1}, 1s, kNever, 0, Action::kNothing, 0, kIdle, 0us},
    {"an idle instance takes one", kEager, {1}, 0us, kNever, 1, Action::kCut, 1, kIdle, 0us},
    {"an idle instance takes all", kEager, {1, 2, 3}, 0us, kNever, 1, Action::kCut, 3, kIdle, 0us},
    {"exactly full", kEager, {4, 4}, 0us, kNever, 1, Action::kCut, 2, kFull, 0us},
    {"the next does not fit", kEager, {4, 3, 2}, 0us, kNever, 1, Action::kCut, 2, kFull, 0us},
    {"too large runs alone", kEager, {9, 1}, 0us, kNever, 1, Action::kCut, 1, kFull, 0us},
    {"unbatched", BatchPolicy{.max_rows = 1}, {1, 1}, 0us, kNever, 1, Action::kCut, 1, kFull, 0us},
    {"held back", kDelay, {1, 2}, 10us, kNever, 1, Action::kWait, 0, kIdle, 100us},
    {"held back long enough", kDelay, {1, 2}, 100us, kNever, 1, Action::kCut, 2, CutReason::kDelayOver, 0us},
    {"full before the delay is over", kDelay, {4, 4}, 0us, kNever, 1, Action::kCut, 2, kFull, 0us},
    {"cannot grow before the delay is over", kDelay, {7, 2}, 0us, kNever, 1, Action::kCut, 1, kFull, 0us},
    {"a deadline inside the delay", kDelay, {1}, 10us, kBegin + 90us, 1, Action::kCut, 1, CutReason::kDeadline, 0us},
    {"a deadline after the delay", kDelay, {1}, 10us, kBegin + 101us, 1, Action::kWait, 0, kIdle, 100us},
    {"below every preferred size", kPreferred, {1}, 10us, kNever, 1, Action::kWait, 0, kIdle, 100us},
    {"a preferred size", kPreferred, {1, 1}, 10us, kNever, 1, Action::kCut, 2, kFull, 0us},
    {"the larger preferred size", kPreferred, {1, 1, 1, 1}, 10us, kNever, 1, Action::kCut, 4, kFull, 0us},
    {"back to the last preferred size", kPreferred, {1, 1, 1}, 10us, kNever, 1, Action::kCut, 2, kFull, 0us},
    {"delay over: all that fits", kPreferred, {1, 1, 1}, 100us, kNever, 1, Action::kCut, 3, CutReason::kDelayOver, 0us},
    {"steps over the preferred sizes", kPreferred, {3, 3}, 10us, kNever, 1, Action::kCut, 1, kFull, 0us},
    {"larger than the preferred sizes", kPreferred, {5}, 10us, kNever, 1, Action::kCut, 1, kFull, 0us},
    {"preferred without delay", kPreferredNoDelay, {1, 1, 1, 1, 1}, 0us, kNever, 1, Action::kCut, 4, kFull, 0us},
    {"no preferred size, no delay", kPreferredNoDelay, {1, 1}, 0us, kNever, 1, Action::kCut, 2, kIdle, 0us},
};

TEST(BatchPolicyTest, Table) {
  for (const PolicyCase& c : kPolicyCases) {
    SCOPED_TRACE(c.what);
    const QueueView view{c.rows, kBegin, c.deadline};
    const BatchDecision d = decide(c.policy, kBegin + c.waited, view, {c.idle});
    EXPECT_EQ(static_cast<int>(d.action), static_cast<int>(c.action));
    EXPECT_EQ(d.requests, c.requests);
    if (d.action == Action::kCut) {
      EXPECT_STREQ(cut_reason_name(d.reason), cut_reason_name(c.reason));
    }
    if (d.action == Action::kWait) {
      EXPECT_EQ(d.until, kBegin + c.until);
    }
  }
}

TEST(BatchPolicyTest, FromDefinition) {
  BatchingDefinition batching;
  batching.preferred_sizes = {16, 4, 64, 0};
  batching.max_queue_delay = 50us;
  const BatchPolicy policy = BatchPolicy::from(batching, 32);
  EXPECT_EQ(policy.preferred, (std::vector<int64_t>{4, 16}));
  EXPECT_EQ(policy.smallest_goal(), 4);
  EXPECT_FALSE(policy.work_conserving());
  EXPECT_TRUE(BatchPolicy::from(batching, 1).work_conserving()) << "there is nothing to wait for";
  EXPECT_EQ(BatchPolicy::from(batching, 0).max_rows, 1);
  batching.mode = BatchingDefinition::Mode::kDisabled;
  EXPECT_EQ(BatchPolicy::from(batching, 32).max_rows, 1);
}

/// What executions take, learned in a few of each size.
CostCurve learned(const std::function<Duration(int64_t)>& cost, int64_t max_rows) {
  CostCurve curve(max_rows);
  for (int64_t rows = 1; rows <= max_rows; rows *= 2)
    for (int i = 0; i < 5; ++i) curve.learn(rows, cost(rows));
  return curve;
}

Duration cheap_together(int64_t rows) { return 1ms + rows * 10us; }
Duration no_gain(int64_t rows) { return rows * 1ms; }

BatchDecision decide_by(const CostCurve& cost, const BatchPolicy& policy, std::vector<int64_t> rows,
                        InstanceView instances = {.idle = 1}, Duration waited = 0us, double arrivals = 0) {
  return decide(policy, kBegin + waited, {rows, kBegin, kNever}, instances, &cost, {.arrivals = arrivals});
}

TEST(BatchPolicyTest, RunsNoMoreTogetherThanPays) {
  const CostCurve cost = learned(no_gain, 8);
  const BatchDecision d = decide_by(cost, kEager, {1, 1, 1});
  EXPECT_EQ(d.requests, 1u);
  EXPECT_EQ(d.reason, CutReason::kNoGain);
  EXPECT_EQ(decide_by(cost, kEager, {3, 1}).requests, 1u) << "a request is not torn";
  const CostCurve pays = learned(cheap_together, 8);
  EXPECT_EQ(decide_by(pays, kEager, {1, 1, 1}).requests, 3u);
  EXPECT_EQ(decide_by(pays, kEager, {4, 4, 4}).reason, CutReason::kFull);
}

TEST(BatchPolicyTest, WhatTheUserSaidComesFirst) {
  const CostCurve cost = learned(no_gain, 8);
  EXPECT_EQ(decide_by(cost, kDelay, {4, 4}).requests, 2u);
  EXPECT_EQ(decide_by(cost, kPreferred, {1, 1}).requests, 2u);
}

TEST(BatchPolicyTest, IdleInstancesShareWhereThatCostsNothing) {
  const CostCurve flat_above_two = learned([](int64_t rows) { return rows == 1 ? 900us : rows * 500us; }, 8);
  EXPECT_EQ(decide_by(flat_above_two, kEager, {1, 1, 1, 1, 1, 1}, {.idle = 3}).requests, 2u);
  const CostCurve pays = learned(cheap_together, 8);
  EXPECT_EQ(decide_by(pays, kEager, {1, 1, 1, 1, 1, 1}, {.idle = 3}).requests, 6u);
}

TEST(BatchPolicyTest, AnObjectiveBoundsTheBatch) {
  BatchPolicy policy{.max_rows = 64, .objective = 10ms};
  const CostCurve cost = learned([](int64_t rows) { return 500us + rows * 200us; }, 64);
  EXPECT_EQ(BatchPrice(policy, cost).rows_within_objective(0.9), 16)
      << "twice 3.7 ms are within 9 ms; twice 6.9 ms are not";
  const BatchDecision d = decide_by(cost, policy, std::vector<int64_t>(40, 1));
  EXPECT_EQ(d.requests, 16u);
  EXPECT_EQ(d.reason, CutReason::kObjective);
  policy.objective = 1us;
  EXPECT_EQ(BatchPrice(policy, cost).rows_within_objective(0.9), 1)
      << "it can't be held; nothing is gained by not running";
  EXPECT_EQ(BatchPrice(policy, CostCurve(64)).rows_within_objective(0.9), 64) << "nothing is known";
}

TEST(BatchPolicyTest, AnObjectiveLeavesTimeToWaitForMore) {
  const BatchPolicy policy{.max_rows = 64, .objective = 20ms};
  const CostCurve cost = learned(cheap_together, 64);
  EXPECT_EQ(decide_by(cost, policy, {1}).action, Action::kCut) << "nobody else seems to come";
  EXPECT_EQ(decide_by(cost, policy, {1}, {.idle = 1}, 0us, 50).action, Action::kCut) << "they come too seldom";
  const BatchDecision d = decide_by(cost, policy, {1}, {.idle = 1}, 0us, 5'000);
  ASSERT_EQ(d.action, Action::kWait);
  EXPECT_GT(d.until, kBegin);
  EXPECT_LE(d.until + cost.p99(64), kBegin + policy.objective) << "the oldest still makes it";
  EXPECT_EQ(d.goal, 64);
  const BatchDecision over = decide_by(cost, policy, {1, 1}, {.idle = 1}, d.until - kBegin, 5'000);
  EXPECT_EQ(over.action, Action::kCut);
  EXPECT_EQ(over.reason, CutReason::kDelayOver);
  EXPECT_EQ(decide_by(learned(no_gain, 64), policy, {1}, {.idle = 1}, 0us, 5'000).action, Action::kCut)
      << "waiting brings nothing";
}

TEST(BatchPolicyTest, ADeadlineIsNotGambledWith) {
  const BatchPolicy policy{.max_rows = 64, .objective = 20ms};
  const CostCurve cost = learned(cheap_together, 64);
  const std::vector<int64_t> rows{1};
  const BatchDecision d = decide(policy, kBegin, {rows, kBegin, kBegin + 1ms}, {.idle = 1}, &cost, {.arrivals = 5'000});
  EXPECT_EQ(d.action, Action::kCut);
  EXPECT_EQ(d.reason, CutReason::kDeadline);
}

BatchPolicy with_allowed(std::vector<int64_t> allowed, Duration max_delay = {}, Duration objective = {}) {
  BatchPolicy policy{.max_rows = allowed.back(), .max_delay = max_delay, .objective = objective};
  policy.allowed = std::move(allowed);
  return policy;
}

/// What was learned of the sizes that batches are filled up to.
CostCurve learned_at(const std::vector<int64_t>& sizes, const std::function<Duration(int64_t)>& cost) {
  CostCurve curve(sizes.back());
  for (const int64_t rows : sizes)
    for (int i = 0; i < 5; ++i) curve.learn(rows, cost(rows));
  return curve;
}

TEST(BatchPolicyTest, BatchesCostWhatTheyAreFilledUpTo) {
  const struct {
    const char* what;
    std::vector<int64_t> allowed, rows;
    Duration (*cost)(int64_t);
    size_t requests;
    CutReason reason;
  } cases[] = {
      // Rows cost a millisecond each: 4 and 1 take 5 ms, 5 filled up to 8 take 8.
      {"at an allowed size before", {1, 4, 8}, {1, 1, 1, 1, 1}, no_gain, 4, CutReason::kNoGain},
      {"what is left is filled up too", {4, 8}, {1, 1, 1, 1, 1}, no_gain, 5, kIdle},
      {"an execution costs more than rows", {1, 4, 8}, {1, 1, 1, 1, 1}, cheap_together, 5, kIdle},
      {"nothing is filled up", {1, 4, 8}, {1, 1, 1, 1}, no_gain, 4, kIdle},
      {"full", {1, 4, 8}, {4, 4}, no_gain, 2, kFull},
      {"no request ends at an allowed size", {1, 4, 8}, {3, 3}, no_gain, 2, kIdle},
      {"a size that several rows make", {1, 4, 8}, {2, 2, 1}, no_gain, 2, CutReason::kNoGain},
      {"alone", {4, 8}, {1}, no_gain, 1, kIdle},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const BatchDecision d = decide_by(learned_at(c.allowed, c.cost), with_allowed(c.allowed), c.rows);
    ASSERT_EQ(d.action, Action::kCut);
    EXPECT_EQ(d.requests, c.requests);
    EXPECT_STREQ(cut_reason_name(d.reason), cut_reason_name(c.reason));
  }
  const std::vector<int64_t> five(5, 1);
  EXPECT_EQ(decide(with_allowed({1, 4, 8}), kBegin, {five, kBegin, kNever}, {1}).requests, 5u) << "nothing is known";
}

TEST(BatchPolicyTest, TheDelayOfAllowedSizesIsKept) {
  const BatchPolicy policy = with_allowed({1, 4, 8}, 100us);
  const CostCurve cost = learned_at(policy.allowed, no_gain);
  EXPECT_EQ(decide_by(cost, policy, {1, 1, 1, 1, 1}, {.idle = 1}, 10us).action, Action::kWait);
  EXPECT_EQ(decide_by(cost, policy, {1, 1, 1, 1, 1}, {.idle = 1}, 100us).requests, 4u);
}

TEST(BatchPolicyTest, AnObjectiveCountsWhatFillingUpCosts) {
  const auto cost = [](int64_t rows) { return 500us + rows * 200us; };
  const BatchPolicy policy = with_allowed({2, 16, 64}, 0us, 10ms);
  EXPECT_FALSE(policy.by_hand());
  const CostCurve curve = learned_at(policy.allowed, cost);
  EXPECT_EQ(BatchPrice(policy, curve).rows_within_objective(0.9), 16) << "32 would be filled up to 64";
  EXPECT_EQ(decide_by(curve, policy, std::vector<int64_t>(40, 1)).requests, 16u);
  // Filled up to 16 all the same, eight rows cost no more than three.
  EXPECT_EQ(decide_by(curve, policy, {1, 1, 1}, {.idle = 1}, 0us, 2'000).action, Action::kWait);
  const BatchPolicy bare{.max_rows = 64, .objective = 10ms};
  const BatchPrice filled(policy, curve), exact(bare, curve);
  EXPECT_EQ(filled.expected(3), cost(16));
  EXPECT_DOUBLE_EQ(filled.rate(8), exact.rate(16) / 2);
}

/// What must hold for any queue and policy.
void check_invariants(const BatchPolicy& policy, TimePoint now, const QueueView& view) {
  const BatchDecision d = decide(policy, now, view, {1});
  if (view.rows.empty()) {
    EXPECT_EQ(d.action, Action::kNothing);
    return;
  }
  if (d.action == Action::kWait) {
    EXPECT_GT(d.until, now);
    EXPECT_LE(d.until, view.oldest + policy.max_delay);
    return;
  }
  ASSERT_EQ(d.action, Action::kCut) << "an idle instance is never left without a plan";
  ASSERT_GE(d.requests, 1u);
  ASSERT_LE(d.requests, view.rows.size());
  const auto rows = std::accumulate(view.rows.begin(), view.rows.begin() + static_cast<long>(d.requests), int64_t{0});
  EXPECT_TRUE(rows <= policy.max_rows || d.requests == 1);
}

TEST(BatchPolicyTest, RandomQueues) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
  for (int round = 0; round < 20'000; ++round) {
    BatchingDefinition batching;
    batching.max_queue_delay = std::chrono::microseconds(pick(0, 1) * pick(1, 100));
    for (int i = pick(0, 3); i > 0; --i) batching.preferred_sizes.push_back(pick(1, 20));
    const BatchPolicy policy = BatchPolicy::from(batching, pick(1, 16));
    std::vector<int64_t> rows;
    for (int i = pick(0, 12); i > 0; --i) rows.push_back(pick(1, 6));
    const TimePoint deadline = pick(0, 1) ? kNever : kBegin + std::chrono::microseconds(pick(0, 200));
    check_invariants(policy, kBegin + std::chrono::microseconds(pick(0, 150)), {rows, kBegin, deadline});
    if (HasFailure()) return;
  }
}

TEST(BatchPolicy, BatchesAreFilledUpToAllowedSizes) {
  BatchingDefinition definition;
  definition.mode = BatchingDefinition::Mode::kDynamic;
  EXPECT_EQ(BatchPolicy::from(definition, 16).filled(3), 3);
  definition.allowed_sizes = {1, 4, 16};
  const BatchPolicy policy = BatchPolicy::from(definition, 16);
  EXPECT_TRUE(policy.by_hand());
  for (const auto& [rows, filled] : {std::pair{1, 1}, {2, 4}, {4, 4}, {5, 16}, {16, 16}, {17, 17}})
    EXPECT_EQ(policy.filled(rows), filled) << rows;
}

}  // namespace
}  // namespace modelmill
