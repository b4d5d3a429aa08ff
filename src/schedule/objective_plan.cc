#include "schedule/objective_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "schedule/cost_curve.h"

namespace modelmill {
namespace {

/// A p99 is told as the end of its cell, which is so much above its begin.
const double kCell = std::exp2(1.0 / CostCurve::kCellsForEachDouble);
/// The rows in front of a request that comes at random, where work comes at nearly the rate at which it is done, are
/// distributed exponentially; one in a hundred exceeds ln(100) means, and the mean is half of the usual 1 / (1 - load).
const double kTail = std::log(100.0) / 2;
/// A larger batch whose rate is so near to the best is as good; what was not measured yet is found out by it.
constexpr double kAsGood = 0.96;
/// Smaller batches are worth changing to for so much more.
constexpr double kWorthSmaller = 1.05;
/// Larger ones have to hold the objective with so much of the share that may be planned with.
constexpr double kWithRoom = 0.95;
double seconds_of(Duration d) { return d == Duration::max() ? HUGE_VAL : to_seconds(d); }
Duration from_seconds(double s) {
  return s >= 3600 ? Duration::max() : Duration(std::chrono::nanoseconds(static_cast<int64_t>(s * 1e9)));
}

/// Batches of one size, on so many instances.
struct SizedOption {
  int64_t rows = 1;
  double able = 0;   // rows a second without regard to anybody's time
  double slack = 0;  // seconds that the objective leaves beside two executions
  double rate = 0;   // rows a second within the objective, of as many that come
  double most = 0;   // likewise, of far more that come
  double execution = 0;
  double tail = 0;
  bool holds = false;
};

/// The part of the time that there is work, where `load` times as much comes as can be done and so many may wait: as in
/// an M/M/1/K queue.
double busy(double load, double places) {
  if (load < 1.001) return places / (places + 1);
  return 1 - (load - 1) / (std::pow(load, places + 1) - 1);
}

SizedOption sized(const BatchPolicy& policy, int64_t rows, int instances, Duration execution, Duration p99,
                  const PlanInputs& inputs) {
  const double objective = to_seconds(policy.objective), planned = objective * inputs.share;
  SizedOption out;
  out.rows = rows;
  out.execution = seconds_of(execution);
  out.tail = std::max(out.execution, seconds_of(p99) / kCell);
  out.able = instances * static_cast<double>(rows) / (out.execution + CostCurve::kHandOverNs / 1e9);
  out.slack = planned - 2 * out.execution;
  out.holds = out.slack > 0 && out.execution + out.tail <= objective;
  if (out.holds) {
    const double x = out.able * out.slack;
    out.rate = out.able * x / (x + kTail);
    // As admission lets in: a request finds executions half done on average. How many rows come in the time of a batch
    // varies by the square root of them.
    const double let_in = out.able * (planned - 1.5 * out.execution);
    const double places = 2 * let_in / std::sqrt(static_cast<double>(rows));
    out.most = std::max(out.rate, out.able * busy(std::max(1.0, inputs.arrivals / out.able), places));
  }
  return out;
}

/// The sizes that batches may be limited to.
std::vector<int64_t> sizes_of(const BatchPolicy& policy) {
  if (!policy.allowed.empty()) return policy.allowed;
  std::vector<int64_t> sizes;
  for (int64_t rows = 1; rows < policy.max_rows; rows *= 2) sizes.push_back(rows);
  sizes.push_back(policy.max_rows);
  return sizes;
}

/// All sizes of batches on so many instances; what was not measured turns out badly, or well.
class Sizes {
 public:
  Sizes(const BatchPolicy& policy, const ConcurrencyCosts& costs, int instances, const PlanInputs& inputs, bool well) {
    for (const int64_t rows : sizes_of(policy)) {
      const auto estimate = costs.estimate(instances, policy.filled(rows), inputs.now);
      all_.push_back(well ? sized(policy, rows, instances, estimate.expected, estimate.expected, inputs)
                          : sized(policy, rows, instances, estimate.worst, estimate.p99, inputs));
    }
    by_ = inputs.arrivals < best(&SizedOption::rate) ? &SizedOption::rate : &SizedOption::most;
  }

  double best(double SizedOption::*what) const {
    double best = 0;
    for (const SizedOption& one : all_) best = std::max(best, one.*what);
    return best;
  }
  /// The largest that is as good as the best; where none holds the objective, a request is answered soonest by itself.
  const SizedOption& chosen() const {
    const SizedOption* chosen = &all_.front();
    for (const SizedOption& one : all_)
      if (one.holds && one.*by_ >= kAsGood * best(by_)) chosen = &one;
    return *chosen;
  }
  /// The smallest of more than so many rows, if it holds the objective; null: it does not, or there is none.
  const SizedOption* next(int64_t rows) const {
    for (const SizedOption& one : all_)
      if (one.rows > rows) return one.holds ? &one : nullptr;
    return nullptr;
  }
  /// Null: none is of so many rows.
  const SizedOption* of(int64_t rows) const {
    for (const SizedOption& one : all_)
      if (one.rows == rows) return &one;
    return nullptr;
  }
  bool as_good(const SizedOption& one) const { return one.holds && one.*by_ >= best(by_) / kWorthSmaller; }

 private:
  std::vector<SizedOption> all_;
  double SizedOption::*by_ = nullptr;  // what counts at what comes
};

}  // namespace

InstanceOption best_option(const BatchPolicy& policy, const ConcurrencyCosts& costs, int instances,
                           const PlanInputs& inputs, int64_t keep) {
  const Sizes sizes(policy, costs, instances, inputs, false);
  const SizedOption* size = &sizes.chosen();
  if (const SizedOption* kept = sizes.of(keep)) {
    PlanInputs careful = inputs;
    careful.share *= kWithRoom;
    const int64_t larger = Sizes(policy, costs, instances, careful, false).chosen().rows;
    if (larger > keep) {
      size = sizes.of(larger);
    } else if (sizes.as_good(*kept)) {
      size = kept;
    }
  }
  // A size that was never seen is rated as if each row cost the same; only executions can tell that it does not.
  if (costs.measured(instances, inputs.now))
    if (const SizedOption* unseen = sizes.next(costs.largest_seen(inputs.now)); unseen && unseen->rows > size->rows)
      size = unseen;
  const auto estimate = costs.estimate(instances, policy.filled(size->rows), inputs.now);
  InstanceOption out;
  out.instances = instances;
  out.rows = size->rows;
  out.execution = estimate.worst;
  out.holds = size->holds;
  out.measured = estimate.measured;
  out.rate = size->holds ? sizes.best(&SizedOption::rate) : size->able;
  out.most = out.promise = size->holds ? sizes.best(&SizedOption::most) : size->able;
  const double spare = size->able - inputs.arrivals;
  out.p99 = spare <= 0 ? Duration::max()
                       : from_seconds(size->execution + size->tail + kTail * inputs.arrivals / (size->able * spare));
  // Half of the time that is left goes into waiting, at most: what follows may take longer than expected.
  const double left = std::max(0.0, to_seconds(policy.objective) * inputs.share - size->execution - size->tail) / 2;
  if (size->holds && inputs.arrivals > 0)
    out.delay = from_seconds(std::min(left, static_cast<double>(size->rows) / inputs.arrivals));
  if (!out.measured) {
    out.caution = std::max(1.0, to_seconds(estimate.worst) / to_seconds(estimate.expected));
    out.promise = Sizes(policy, costs, instances, inputs, true).best(&SizedOption::most);
  }
  return out;
}

std::vector<InstanceOption> options_for(const BatchPolicy& policy, const ConcurrencyCosts& costs, int present,
                                        const InstanceLimits& limits, const PlanInputs& inputs) {
  std::set<int> numbers{present};
  const auto add = [&](int n) {
    if (n >= std::max(1, limits.min) && n <= limits.max) numbers.insert(n);
  };
  add(present - 1);
  add(present + 1);
  for (const int n : costs.measured_levels(inputs.now)) add(n);
  std::vector<InstanceOption> options;
  for (const int n : numbers) options.push_back(best_option(policy, costs, n, inputs));
  return options;
}

bool clearly_better(const InstanceOption& a, const InstanceOption& b, double by) {
  if (a.holds != b.holds) return a.holds;
  return a.most >= by * b.most;
}

}  // namespace modelmill
