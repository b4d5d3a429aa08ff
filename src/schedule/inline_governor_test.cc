#include "schedule/inline_governor.h"

#include <gtest/gtest.h>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using State = InlineGovernor::State;

constexpr Duration kBudget = 1ms;
constexpr TimePoint kStart{1h};

/// n executions of `rows` rows whose time was all spent computing.
void observe(InlineGovernor& governor, int n, Duration cost, int64_t rows = 1, bool on_loop = false) {
  const InlineGovernor::Account account{cost, false};
  for (int i = 0; i < n; ++i) governor.observe({rows, cost, kStart, on_loop, &account});
}

TEST(InlineGovernorTest, NothingBeforeTheWarmUp) {
  InlineGovernor governor;
  observe(governor, 19, 5us);
  EXPECT_EQ(governor.state(), State::kWarming);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 0);
  observe(governor, 1, 5us);
  EXPECT_EQ(governor.state(), State::kAllowed);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 1);
}

TEST(InlineGovernorTest, OneSlowFirstExecutionDoesNotCount) {
  InlineGovernor governor;
  observe(governor, 1, 30ms);
  observe(governor, 19, 5us);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 1);
}

TEST(InlineGovernorTest, TheBoundOfTheP99) {
  InlineGovernor governor;
  observe(governor, 30, 49us);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 1);
  observe(governor, 2, 60us);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 0) << "two of 32 are more than one in a hundred";
  EXPECT_EQ(governor.state(), State::kAllowed) << "above the bound is not an overrun";
  observe(governor, 256, 10us);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 1) << "forgotten after two windows";
}

TEST(InlineGovernorTest, WithinTheBudget) {
  InlineGovernor governor;
  observe(governor, 30, 20us);
  EXPECT_EQ(governor.allowed_rows(1, 21us), 1);
  EXPECT_EQ(governor.allowed_rows(1, 20us), 0);
  EXPECT_EQ(governor.allowed_rows(1, 0us), 0);
  EXPECT_EQ(governor.allowed_rows(1, -5us), 0);
}

TEST(InlineGovernorTest, RowsNeverSeenAreScaledFromThoseThatWere) {
  InlineGovernor governor;
  observe(governor, 30, 10us, 1);
  EXPECT_EQ(governor.p99(2), 20us);
  EXPECT_EQ(governor.p99(4), 40us);
  EXPECT_EQ(governor.allowed_rows(64, kBudget), 4) << "8 would be 80 us";
  observe(governor, 30, 12us, 64);
  EXPECT_EQ(governor.allowed_rows(64, kBudget), 64) << "and now they were seen";
  InlineGovernor only_large;
  observe(only_large, 30, 12us, 64);
  EXPECT_EQ(only_large.p99(1), 12us);
  EXPECT_EQ(InlineGovernor().p99(1), InlineGovernor::kUnknown);
}

TEST(InlineGovernorTest, AProvenOverrunOnTheLoopSuspendsIt) {
  InlineGovernor governor;
  observe(governor, 30, 5us);
  const InlineGovernor::Account account{201us, false};
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(governor.observe({1, 201us, kStart, /*on_loop=*/false, &account}))
        << "an instance's thread may take its time";
  EXPECT_FALSE(governor.observe({1, 201us, kStart, /*on_loop=*/true, &account}));
  EXPECT_TRUE(governor.observe({1, 201us, kStart, /*on_loop=*/true, &account}));
  EXPECT_EQ(governor.state(), State::kSuspended);
  EXPECT_FALSE(governor.observe({1, 201us, kStart, true, &account})) << "told once";
  observe(governor, 1'000, 1us);
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 0);
}

/// Two overruns on the loop, the second at `when`: whether they suspended it.
bool overrun_at(InlineGovernor& governor, TimePoint when) {
  const InlineGovernor::Account account{300us, false};
  governor.observe({1, 300us, when, true, &account});
  return governor.observe({1, 300us, when, true, &account});
}

/// Whether it is allowed after an execution on an instance's thread at `when`.
bool allowed_at(InlineGovernor& governor, TimePoint when) {
  const InlineGovernor::Account account{5us, false};
  governor.observe({1, 5us, when, false, &account});
  return governor.state() == State::kAllowed;
}

TEST(InlineGovernorTest, SuspensionsGrowWhileTheyAreProvenAgain) {
  InlineGovernor governor;
  observe(governor, 100, 5us);
  TimePoint now = kStart;
  Duration expected = InlineGovernor::kFirstSuspension;
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(overrun_at(governor, now));
    EXPECT_FALSE(allowed_at(governor, now + expected - 1us)) << i;
    now += expected;
    EXPECT_TRUE(allowed_at(governor, now)) << i;
    expected = std::min(2 * expected, InlineGovernor::kLongestSuspension);
  }
  EXPECT_EQ(expected, InlineGovernor::kLongestSuspension);
  EXPECT_EQ(governor.suspension(), InlineGovernor::kLongestSuspension);
  now += 10 * InlineGovernor::kLongestSuspension;
  ASSERT_TRUE(overrun_at(governor, now));
  EXPECT_TRUE(allowed_at(governor, now + InlineGovernor::kFirstSuspension)) << "what was long ago is forgotten";
}

TEST(InlineGovernorTest, OneOverrunAmongManyIsNoProof) {
  InlineGovernor governor;
  observe(governor, 100, 5us);
  const InlineGovernor::Account account{201us, false};
  EXPECT_FALSE(governor.observe({1, 201us, kStart, true, &account}));
  EXPECT_TRUE(governor.watches());
  observe(governor, 64, 5us, 1, true);
  EXPECT_FALSE(governor.watches());
  EXPECT_FALSE(governor.observe({1, 201us, kStart, true, &account}));
  observe(governor, 63, 5us, 1, true);
  EXPECT_TRUE(governor.observe({1, 201us, kStart, true, &account}));
}

TEST(InlineGovernorTest, TakenOffTheCoreIsNoOverrun) {
  InlineGovernor governor;
  observe(governor, 30, 5us);
  const InlineGovernor::Account preempted{6us, false};
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(governor.observe({1, 4ms, kStart, true, &preempted}));
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 1);
  const InlineGovernor::Account slept{6us, true};
  EXPECT_FALSE(governor.observe({1, 4ms, kStart, true, &slept}));
  EXPECT_TRUE(governor.observe({1, 4ms, kStart, true, &slept})) << "waiting for something is one";
}

TEST(InlineGovernorTest, ALongTimeOnTheWallIsWatchedThenProven) {
  InlineGovernor governor;
  observe(governor, 100, 5us);
  EXPECT_FALSE(governor.watches());
  EXPECT_FALSE(governor.observe({1, 4ms, kStart, true, nullptr})) << "not proven";
  EXPECT_EQ(governor.allowed_rows(1, kBudget), 1) << "nor learned from";
  EXPECT_TRUE(governor.watches());
  observe(governor, 8, 5us, 1, true);
  EXPECT_FALSE(governor.watches());
  EXPECT_FALSE(governor.observe({1, 4ms, kStart, true, nullptr}));
  const InlineGovernor::Account account{4ms, false};
  EXPECT_FALSE(governor.observe({1, 4ms, kStart, true, &account}));
  EXPECT_TRUE(governor.observe({1, 4ms, kStart, true, &account}));
}

TEST(InlineGovernorTest, RowsAreBucketedByPowersOfTwo) {
  InlineGovernor governor;
  observe(governor, 30, 10us, 3);
  EXPECT_EQ(governor.p99(4), 10us);
  EXPECT_EQ(governor.p99(5), 20us);
  EXPECT_EQ(governor.p99(0), 10us);
  EXPECT_GT(governor.p99(int64_t{1} << 40), 1s);
}

}  // namespace
}  // namespace modelmill
