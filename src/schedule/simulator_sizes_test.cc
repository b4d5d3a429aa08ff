// Random arrivals where the sizes of batches are given by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "schedule/testing/simulator_checks.h"

namespace modelmill {
namespace {

using testing::check_everything;
using testing::check_order;
using testing::Random;
using testing::Scenario;
using testing::SimulatedRequest;
using testing::Simulation;
using testing::SimulatorTest;

/// Some sizes up to the most, ascending.
std::vector<int64_t> some_sizes(Random& random, int64_t most) {
  std::vector<int64_t> sizes;
  for (int64_t size = 1; size <= most; ++size)
    if (std::uniform_int_distribution<int>(1, 4)(random) == 1) sizes.push_back(size);
  return sizes;
}

TEST_F(SimulatorTest, PreferredSizesAreKeptUntilTheDelayIsOver) {
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_));
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Scenario s = scenario(std::uniform_real_distribution<>(0.1, 2)(random_));
    s.policy.max_rows = int64_t{1} << pick(2, 5);
    s.policy.preferred = some_sizes(random_, s.policy.max_rows - 1);
    s.policy.max_delay = std::chrono::microseconds(pick(0, 5'000));
    // Of requests of several rows the next one may not fit, which ends a batch too.
    s.policy.preferred.push_back(s.policy.max_rows);
    const std::vector<int64_t>& preferred = s.policy.preferred;
    const Simulation simulation = simulate(s);
    const bool single_rows = std::all_of(simulation.requests.begin(), simulation.requests.end(),
                                         [](const SimulatedRequest& r) { return r.asked.rows == 1; });
    check_everything(s, simulation);
    check_order(simulation);
    if (HasFatalFailure()) return;
    for (const auto& batch : simulation.batches) {
      if (batch.reason == CutReason::kFull && single_rows) {
        ASSERT_TRUE(std::binary_search(preferred.begin(), preferred.end(), batch.rows)) << batch.rows;
      }
      if (batch.reason == CutReason::kDelayOver) {
        ASSERT_GE(batch.started - simulation.requests[batch.requests.front()].arrived, s.policy.max_delay);
      }
    }
    for (const SimulatedRequest& r : simulation.requests)
      if (r.batch >= 0) {
        ASSERT_FALSE(simulation.idle_within(r.arrived + s.policy.max_delay, r.started));
      }
  }
}

TEST_F(SimulatorTest, AllowedSizesAreTheOnlyOnesThatRun) {
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_));
  int64_t padded = 0;
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Scenario s = scenario(std::uniform_real_distribution<>(0.1, 2)(random_));
    s.policy.max_rows = int64_t{1} << pick(2, 5);
    s.policy.allowed = some_sizes(random_, s.policy.max_rows - 1);
    s.policy.allowed.push_back(s.policy.max_rows);
    const Simulation simulation = simulate(s);
    check_everything(s, simulation);
    check_order(simulation);
    if (HasFatalFailure()) return;
    for (const auto& batch : simulation.batches) {
      padded += batch.filled - batch.rows;
      const bool alone = batch.requests.size() == 1 && batch.rows > s.policy.max_rows;
      ASSERT_TRUE(alone || std::binary_search(s.policy.allowed.begin(), s.policy.allowed.end(), batch.filled));
      ASSERT_GE(batch.filled, batch.rows);
      if (batch.reason == CutReason::kNoGain) {
        ASSERT_EQ(batch.filled, batch.rows) << "cut short, and filled up all the same";
      }
    }
    for (const SimulatedRequest& r : simulation.requests)
      if (r.batch >= 0) {
        ASSERT_FALSE(simulation.idle_within(r.arrived, r.started));
      }
  }
  EXPECT_GT(padded, 0);
}

}  // namespace
}  // namespace modelmill
