#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "schedule/testing/simulator.h"

namespace modelmill::testing {

/// How requests of a class stand to each other in the queue: by level, then by arrival.
inline bool comes_before(const SimulatedRequest& a, const SimulatedRequest& b) {
  return a.level != b.level ? a.level < b.level : a.arrived < b.arrived;
}

/// What holds in every scenario.
inline void check_everything(const Scenario& scenario, const Simulation& simulation) {
  for (size_t i = 0; i < simulation.requests.size(); ++i) {
    const SimulatedRequest& r = simulation.requests[i];
    SCOPED_TRACE("request " + std::to_string(i));
    ASSERT_NE(r.end, SimulatedEnd::kNone) << "lost";
    ASSERT_EQ(r.answers, 1);
    ASSERT_EQ(r.end == SimulatedEnd::kAnswered, r.batch >= 0);
    if (r.batch < 0) continue;
    if (r.asked.deadline != Duration::max()) {
      ASSERT_LT(r.started, r.arrived + r.asked.deadline);
    }
    ASSERT_LT(r.started, r.expires) << "its time in the queue was over";
    if (r.asked.cancelled != Duration::max()) {
      ASSERT_LT(r.started, r.arrived + r.asked.cancelled);
    }
  }
  ASSERT_LE(simulation.most_waiting, scenario.limits.max_requests);
  ASSERT_LE(simulation.most_bytes, scenario.limits.max_bytes);

  std::map<size_t, int> run;
  for (const auto& batch : simulation.batches) {
    ASSERT_FALSE(batch.requests.empty());
    if (batch.requests.size() > 1) {
      ASSERT_LE(batch.rows, scenario.policy.max_rows);
    }
    for (const size_t i : batch.requests) {
      ASSERT_EQ(++run[i], 1) << "run twice";
      if (scenario.by_shape) {
        ASSERT_EQ(simulation.requests[i].asked.width, simulation.requests[batch.requests[0]].asked.width);
      }
    }
  }
}

inline bool may_be_delayed(const Scenario& scenario) {
  const auto delays = [](const QueuePolicy& p) { return p.timeout_action == QueuePolicy::TimeoutAction::kDelay; };
  for (const auto& [level, policy] : scenario.limits.by_level)
    if (delays(policy)) return true;
  return delays(scenario.limits.policy);
}

/// Within a class nobody is overtaken by who stands behind him, unless he may be delayed.
inline void check_order(const Simulation& simulation) {
  std::map<int64_t, std::vector<const SimulatedRequest*>> waiting;  // by class
  size_t next = 0;
  for (size_t b = 0; b < simulation.batches.size(); ++b) {
    const auto& batch = simulation.batches[b];
    for (; next < simulation.requests.size() && simulation.requests[next].arrived < batch.started; ++next)
      if (simulation.requests[next].batch >= 0)
        waiting[simulation.requests[next].asked.width].push_back(&simulation.requests[next]);
    for (const SimulatedRequest* other : waiting[simulation.requests[batch.requests[0]].asked.width]) {
      if (other->batch <= static_cast<int64_t>(b)) continue;
      for (const size_t i : batch.requests)
        ASSERT_FALSE(comes_before(*other, simulation.requests[i])) << "batch " << b << " overtakes, request " << i;
    }
  }
}

class SimulatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    seed_ = simulation_seed();
    random_.seed(seed_);
  }
  int64_t pick(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random_); }

  /// A server of this many rows a second at most, under `load` times as much, in a random way.
  Scenario scenario(double load) {
    Scenario s;
    s.seed = random_();
    s.instances = static_cast<int>(pick(1, 4));
    s.policy.max_rows = int64_t{1} << pick(0, 5);
    s.by_shape = pick(0, 1) == 1;
    s.learns = pick(0, 1) == 1;
    const Duration fixed = std::chrono::microseconds(pick(20, 2'000));
    const Duration row = std::chrono::microseconds(pick(5, 500));
    s.batch_time = linear_time(fixed, row, 0.2);
    const double rate =
        load * s.instances * static_cast<double>(s.policy.max_rows) / to_seconds(fixed + row * s.policy.max_rows);
    switch (pick(0, 2)) {
      case 0: s.gap = poisson(rate); break;
      case 1: s.gap = bursts(rate, static_cast<int>(pick(2, 100))); break;
      default: s.gap = heavy_tail(rate); break;
    }
    s.length = std::chrono::nanoseconds(static_cast<int64_t>(2'000 / rate * 1e9));
    s.limits.max_requests = pick(5, 500);
    s.limits.max_bytes = pick(50, 5'000);
    const bool several_rows = pick(0, 1) == 1, hurried = pick(0, 1) == 1, fickle = pick(0, 1) == 1;
    const Duration patience = 4 * (fixed + row * s.policy.max_rows);
    s.arrival = [=](Random& random) {
      const auto chance = [&](int of) { return std::uniform_int_distribution<int>(1, of)(random) == 1; };
      SimulatedArrival a;
      a.width = std::uniform_int_distribution<int64_t>(1, 3)(random);
      a.priority = std::uniform_int_distribution<uint64_t>(0, 4)(random);
      if (several_rows) a.rows = std::uniform_int_distribution<int64_t>(1, 5)(random);
      if (hurried && chance(2)) a.deadline = patience * std::uniform_int_distribution<int>(0, 8)(random) / 4;
      if (fickle && chance(10)) a.cancelled = patience / 8;
      if (chance(3)) a.timeout = std::chrono::duration_cast<std::chrono::microseconds>(patience / 4);
      return a;
    };
    return s;
  }
  void add_levels(Scenario& s) {
    s.limits.levels = 3;
    s.limits.default_level = 2;
    s.limits.policy.max_queue_size = pick(0, 20);
    s.limits.by_level[1].allow_timeout_override = pick(0, 1) == 1;
    s.limits.by_level[3].default_timeout = std::chrono::microseconds(pick(100, 10'000));
    s.limits.by_level[3].timeout_action =
        pick(0, 1) == 1 ? QueuePolicy::TimeoutAction::kDelay : QueuePolicy::TimeoutAction::kReject;
  }

  uint64_t seed_ = 0;
  Random random_;
};

}  // namespace modelmill::testing
