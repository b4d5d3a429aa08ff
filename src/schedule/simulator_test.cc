#include "schedule/testing/simulator_checks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <sstream>

namespace modelmill {
namespace {

using namespace std::chrono_literals;
using testing::check_everything;
using testing::check_order;
using testing::may_be_delayed;
using testing::Random;
using testing::Scenario;
using testing::SimulatedArrival;
using testing::SimulatedEnd;
using testing::SimulatedRequest;
using testing::Simulation;
using testing::SimulatorTest;

TEST_F(SimulatorTest, NothingIsLostNorRunTwice) {
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_));
  size_t all = 0;
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Scenario s = scenario(std::uniform_real_distribution<>(0.1, 4)(random_));
    if (pick(0, 1) == 1) add_levels(s);
    if (pick(0, 2) == 0) s.policy.max_delay = std::chrono::microseconds(pick(1, 5'000));
    if (pick(0, 2) == 0) s.policy.objective = std::chrono::microseconds(pick(500, 50'000));
    const Simulation simulation = simulate(s);
    all += simulation.requests.size();
    check_everything(s, simulation);
    if (!may_be_delayed(s)) check_order(simulation);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(all, 10'000u);
}

TEST_F(SimulatorTest, BeyondTheDelayARequestWaitsOnlyForAnInstance) {
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_));
  for (int round = 0; round < 40; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    Scenario s = scenario(std::uniform_real_distribution<>(0.1, 2)(random_));
    if (pick(0, 1) == 1) add_levels(s);
    if (pick(0, 1) == 1) s.policy.max_delay = std::chrono::microseconds(pick(10, 5'000));
    const Simulation simulation = simulate(s);
    const Duration delay = s.policy.max_rows > 1 ? s.policy.max_delay : Duration::zero();
    for (const SimulatedRequest& r : simulation.requests) {
      if (r.batch < 0) continue;
      ASSERT_FALSE(simulation.idle_within(r.arrived + delay, r.started)) << to_ns(r.started - r.arrived) << " ns";
    }
  }
}

TEST_F(SimulatorTest, HigherLevelsWaitLess) {
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_));
  Scenario s;
  s.seed = seed_;
  s.policy.max_rows = 4;
  s.limits.levels = 3;
  s.limits.default_level = 2;
  s.batch_time = testing::linear_time(1ms, 1ms);
  s.limits.policy.max_queue_size = 100;
  s.gap = testing::poisson(2 * 4 / 0.005);
  s.length = 4s;
  s.arrival = [](Random& random) {
    return SimulatedArrival{.priority = std::uniform_int_distribution<uint64_t>(1, 3)(random)};
  };
  const Simulation simulation = simulate(s);
  std::map<uint64_t, Duration> longest;
  std::map<uint64_t, int64_t> answered;
  for (const SimulatedRequest& r : simulation.requests) {
    if (r.end != SimulatedEnd::kAnswered) continue;
    longest[r.level] = std::max(longest[r.level], r.started - r.arrived);
    ++answered[r.level];
  }
  EXPECT_LT(longest[1] * 4, longest[2]);
  EXPECT_LT(longest[2] * 4, longest[3]);
  EXPECT_GT(answered[1], answered[3]) << "the lowest is what an overload is taken from";
  EXPECT_GT(answered[3], 0);
}

/// A model for which batching pays, with an objective that it can hold.
Scenario with_objective(uint64_t seed, double load, double& sustainable) {
  Scenario s;
  s.seed = seed;
  s.learns = true;
  s.instances = 2;
  s.policy.max_rows = 32;
  s.policy.objective = 20ms;
  s.limits.max_requests = 16'384;
  s.batch_time = testing::linear_time(1ms, 100us);
  // Batches of which two fit into nine tenths of the objective: 32 rows take 4.2 ms.
  sustainable = 2 * 32 / 0.0042;
  s.gap = testing::poisson(load * sustainable);
  s.length = 3s;
  return s;
}

TEST_F(SimulatorTest, AnObjectiveIsHeldUpToTheSustainableLoad) {
  for (const double load : {0.5, 0.8}) {
    SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_) + " load " + std::to_string(load));
    double sustainable = 0;
    const Simulation simulation = simulate(with_objective(seed_, load, sustainable));
    EXPECT_LE(simulation.unanswered(500ms), 0.001);
    EXPECT_LE(simulation.quantile(0.99, 500ms), 20ms);
  }
}

TEST_F(SimulatorTest, GoodputDoesNotCollapseBeyondIt) {
  SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_));
  double sustainable = 0;
  const Simulation simulation = simulate(with_objective(seed_, 3, sustainable));
  EXPECT_GE(simulation.goodput(20ms, 500ms), 0.9 * sustainable);
  EXPECT_LE(simulation.quantile(0.99, 500ms), 20ms);
}

/// How much slower each of the executions side by side gets.
struct Machine {
  const char* name;
  std::function<double(int)> slowdown;
};

std::vector<Machine> machines() {
  return {{"cores for all", [](int) { return 1.0; }},
          {"two cores", [](int n) { return std::max(1.0, n / 2.0); }},
          {"an execution takes all cores", [](int n) { return static_cast<double>(n); }},
          {"two in each other's way", [](int n) { return 1 + 0.25 * (n - 1); }},
          {"worse than one after another", [](int n) { return std::pow(n, 1.15); }}};
}

/// A model and an objective, at random: batching pays more or less, and the objective leaves a little or much.
Scenario joint_scenario(Random& random, const Machine& machine) {
  const auto number = [&random](double low, double high) {
    return std::exp(std::uniform_real_distribution<>(std::log(low), std::log(high))(random));
  };
  Scenario s;
  s.seed = random();
  s.learns = true;
  s.policy.max_rows = int64_t{1} << std::uniform_int_distribution<int>(0, 5)(random);
  const double row = number(0.5e-3, 5e-3), fixed = row * number(0.05, 50);
  const auto ns = [](double seconds) { return std::chrono::nanoseconds(static_cast<int64_t>(seconds * 1e9)); };
  s.batch_time = testing::linear_time(ns(fixed), ns(row));
  s.slowdown = machine.slowdown;
  s.policy.objective = ns((fixed + row) * number(6, 40));
  s.limits.max_requests = 1'000'000;
  // So that what was tried has been measured: slow models take longer to tell.
  s.length =
      10s + 800 * std::chrono::duration_cast<Duration>(ns(fixed + row * static_cast<double>(s.policy.max_rows) / 2));
  return s;
}

/// The rows a second within the objective with the number of instances that is best for the load, given by hand.
double best_fixed(Scenario s, int most) {
  double best = 0;
  for (s.instances = 1; s.instances <= most; ++s.instances) {
    const Simulation simulation = simulate(s);
    best = std::max(best, simulation.goodput(s.policy.objective, s.length / 2));
  }
  return best;
}

/// What was chosen, and from what at the end.
std::string told(const Simulation& simulation) {
  std::ostringstream out;
  for (const auto& change : simulation.changes)
    out << "\n"
        << to_seconds(change.at.time_since_epoch()) << " s, " << change.choice.instances << ": "
        << change.choice.reason;
  const InstanceOutlook& outlook = simulation.outlook;
  out << "\nat the end, share " << outlook.share << ", arrivals " << outlook.arrivals << ", " << outlook.last_change;
  for (const auto& o : outlook.options)
    out << "\n  " << o.instances << " x " << o.rows << " rows in " << to_ns(o.execution) / 1000 << " us: rate "
        << o.rate << ", most " << o.most << ", promise " << o.promise << (o.holds ? "" : ", misses it")
        << (o.measured ? "" : ", not measured") << ", caution " << o.caution;
  return out.str();
}

TEST_F(SimulatorTest, InstancesAndBatchesAreChosenTogether) {
  constexpr int kMost = 4;
  for (const Machine& machine : machines()) {
    for (const double load : {0.3, 0.8, 2.0}) {
      Scenario s = joint_scenario(random_, machine);
      double able = 0;  // rows a second of as many instances as are best
      for (int n = 1; n <= kMost; ++n) {
        Random sure;
        const double batch = to_seconds(s.batch_time(s.policy.max_rows, sure)) * machine.slowdown(n);
        able = std::max(able, n * static_cast<double>(s.policy.max_rows) / batch);
      }
      s.gap = testing::poisson(load * able);
      SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_) + ", " + machine.name + ", load " + std::to_string(load));
      const double fixed = best_fixed(s, kMost);
      s.chosen = {1, kMost, {}};
      const Simulation simulation = simulate(s);
      const std::string changes = told(simulation);
      EXPECT_LE(simulation.quantile(0.99, s.length / 2), s.policy.objective) << changes;
      EXPECT_GE(simulation.goodput(s.policy.objective, s.length / 2), 0.95 * fixed) << changes;
      EXPECT_LE(simulation.changes.size(), 12u) << changes;
    }
  }
}

/// From its first second on: what was tried on the way too.
TEST_F(SimulatorTest, TryingAnotherNumberDoesNotCostTheObjective) {
  for (const Machine& machine : machines()) {
    SCOPED_TRACE("MODELMILL_SEED=" + std::to_string(seed_) + ", " + machine.name);
    Scenario s = joint_scenario(random_, machine);
    Random sure;
    s.gap = testing::poisson(1.5 * static_cast<double>(s.policy.max_rows) /
                             to_seconds(s.batch_time(s.policy.max_rows, sure)));
    s.chosen = {1, 4, {}};
    const Simulation simulation = simulate(s);
    EXPECT_LE(simulation.quantile(0.99, 1s), s.policy.objective);
  }
}

TEST_F(SimulatorTest, TheSameSeedGivesTheSameSimulation) {
  double sustainable = 0;
  const Scenario s = with_objective(seed_, 1.2, sustainable);
  const Simulation one = simulate(s), two = simulate(s);
  ASSERT_EQ(one.requests.size(), two.requests.size());
  for (size_t i = 0; i < one.requests.size(); ++i) ASSERT_EQ(one.requests[i].ended, two.requests[i].ended);
}

}  // namespace
}  // namespace modelmill
