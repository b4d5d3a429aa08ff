#include "schedule/batch_policy.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using Action = BatchDecision::Action;

const TimePoint kT0{std::chrono::seconds(100)};

struct Case {
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

const Case kCases[] = {
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
    {"a deadline inside the delay", kDelay, {1}, 10us, kT0 + 90us, 1, Action::kCut, 1, CutReason::kDeadline, 0us},
    {"a deadline after the delay", kDelay, {1}, 10us, kT0 + 101us, 1, Action::kWait, 0, kIdle, 100us},
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
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    const QueueView view{c.rows, kT0, c.deadline};
    const BatchDecision d = decide(c.policy, kT0 + c.waited, view, {c.idle});
    EXPECT_EQ(static_cast<int>(d.action), static_cast<int>(c.action));
    EXPECT_EQ(d.requests, c.requests);
    if (d.action == Action::kCut) {
      EXPECT_STREQ(cut_reason_name(d.reason), cut_reason_name(c.reason));
    }
    if (d.action == Action::kWait) {
      EXPECT_EQ(d.until, kT0 + c.until);
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
    const TimePoint deadline = pick(0, 1) ? kNever : kT0 + std::chrono::microseconds(pick(0, 200));
    check_invariants(policy, kT0 + std::chrono::microseconds(pick(0, 150)), {rows, kT0, deadline});
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace modelmill
