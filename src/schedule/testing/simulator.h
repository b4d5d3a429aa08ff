#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <utility>
#include <vector>

#include "catalog/instance_plan.h"
#include "catalog/instances.h"
#include "schedule/batch_policy.h"
#include "schedule/request_queue.h"

namespace modelmill::testing {

using Random = std::mt19937_64;

/// A request that is about to come.
struct SimulatedArrival {
  int64_t rows = 1;
  int64_t width = 1;  // of its inputs: requests of one width are of one shape class
  uint64_t priority = 0;
  std::chrono::microseconds timeout{0};
  Duration deadline = Duration::max();  // from its arrival on
  Duration cancelled = Duration::max();
};

/// What is simulated.
struct Scenario {
  uint64_t seed = 1;
  BatchPolicy policy;
  RequestQueue::Limits limits{1'000, int64_t{1} << 30, {}};
  bool by_shape = false;
  int instances = 1;
  /// The least and most instances where an objective chooses their number, every kPlanned; 0: it is `instances`.
  InstanceLimits chosen{0, 0, {}};
  static constexpr Duration kPlanned = std::chrono::milliseconds(250);
  /// Executions teach a cost model, which decides about batches and admission, as in a version.
  bool learns = false;
  /// How long a batch of so many rows takes.
  std::function<Duration(int64_t rows, Random&)> batch_time;
  /// How many times as long executions take while so many run side by side; null: as alone.
  std::function<double(int running)> slowdown;
  /// From one arrival to the next.
  std::function<Duration(Random&)> gap;
  /// What comes; by default a request of one row.
  std::function<SimulatedArrival(Random&)> arrival = [](Random&) { return SimulatedArrival{}; };
  /// Arrivals come for so long; then what waits is run to its end.
  Duration length{};
};

enum class SimulatedEnd { kNone, kAnswered, kRefused, kDropped };

struct SimulatedRequest {
  SimulatedArrival asked;
  uint64_t level = 1;
  TimePoint arrived{};
  TimePoint expires = kNever;  // by its level's queue policy
  TimePoint started = kNever;
  TimePoint ended{};
  SimulatedEnd end = SimulatedEnd::kNone;
  Code code = Code::kOk;
  int answers = 0;
  int64_t batch = -1;  // in which it ran
};

struct SimulatedBatch {
  TimePoint started{};
  std::vector<size_t> requests;
  int64_t rows = 0;
  int64_t filled = 0;  // with those that fill it up to an allowed size
  CutReason reason = CutReason::kIdleInstance;
};

/// What has happened, and numbers of it.
struct Simulation {
  std::vector<SimulatedRequest> requests;  // in order of arrival
  std::vector<SimulatedBatch> batches;     // in order of start
  int64_t most_waiting = 0;
  int64_t most_bytes = 0;
  /// When an instance or more had nothing to do, from when to when; in order.
  std::vector<std::pair<TimePoint, TimePoint>> idle;
  Duration length{};
  /// The numbers of instances that were chosen, when and why.
  struct Change {
    TimePoint at{};
    InstanceChoice choice;
  };
  std::vector<Change> changes;
  InstanceOutlook outlook;  // the last

  int64_t count(SimulatedEnd end) const;
  /// Whether there was an idle instance at some time between these two.
  bool idle_within(TimePoint from, TimePoint to) const;
  /// Rows answered in this time a second, of those that came after `warm_up`.
  double goodput(Duration within, Duration warm_up = {}) const;
  /// Of what was answered and came after `warm_up`.
  Duration quantile(double q, Duration warm_up = {}) const;
  /// The part of the requests that came after `warm_up` that was not answered.
  double unanswered(Duration warm_up = {}) const;
};

/// Runs the queue and its policy, and with a cost model admission too, on a clock that jumps from event to event, with
/// instances that only take time. The same scenario gives the same simulation.
Simulation simulate(const Scenario& scenario);

/// The seed for a test with random scenarios: MODELMILL_SEED of the environment, or a new one.
uint64_t simulation_seed();

/// Gaps between arrivals at so many a second: at random; in bursts of so many at once; with a heavy tail (Pareto, whose
/// variance is infinite).
std::function<Duration(Random&)> poisson(double per_second);
std::function<Duration(Random&)> bursts(double per_second, int size);
std::function<Duration(Random&)> heavy_tail(double per_second);
/// The time of a batch: `fixed`, and `per_row` for each row, within `noise` of their sum.
std::function<Duration(int64_t rows, Random&)> linear_time(Duration fixed, Duration per_row, double noise = 0.05);

}  // namespace modelmill::testing
