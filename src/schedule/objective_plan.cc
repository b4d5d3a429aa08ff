#include "schedule/objective_plan.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace modelmill {
namespace {

/// What handing a batch over costs beside its execution, as in CostCurve.
constexpr double kHandOverSeconds = 5e-6;
/// A p99 is told as the end of its cell, which is so much above its begin.
const double kCell = std::exp2(1.0 / 3);
/// The rows in front of a request that comes at random, where work comes at nearly the rate at which it is done, are
/// distributed exponentially; one in a hundred exceeds ln(100) means, and the mean is half of the usual 1 / (1 - load).
const double kTail = std::log(100.0) / 2;
/// A larger batch whose rate is so near to the best is as good; what was not measured yet is found out by it.
constexpr double kAsGood = 0.96;
/// Executions after which the curves that batches and admission go by have followed to another number of instances.
constexpr int64_t kFollowed = 64;

double seconds_of(Duration d) { return d == Duration::max() ? HUGE_VAL : to_seconds(d); }
Duration from_seconds(double s) {
  return s >= 3600 ? Duration::max() : Duration(std::chrono::nanoseconds(static_cast<int64_t>(s * 1e9)));
}

/// Batches of one size, on so many instances.
struct SizedOption {
  int64_t rows = 1;
  double able = 0;   // rows a second without regard to anybody's time
  double slack = 0;  // seconds that the objective leaves beside two executions
  double rate = 0;   // rows a second within the objective
  double execution = 0;
  double tail = 0;
  bool holds = false;
};

SizedOption sized(const BatchPolicy& policy, int64_t rows, int instances, Duration execution, Duration p99,
                  double share) {
  const double objective = to_seconds(policy.objective), planned = objective * share;
  SizedOption out;
  out.rows = rows;
  out.execution = seconds_of(execution);
  out.tail = std::max(out.execution, seconds_of(p99) / kCell);
  out.able = instances * static_cast<double>(rows) / (out.execution + kHandOverSeconds);
  out.slack = planned - 2 * out.execution;
  out.holds = out.slack > 0 && out.execution + out.tail <= objective;
  if (out.holds) {
    const double x = out.able * out.slack;
    out.rate = out.able * x / (x + kTail);
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

/// What executions take, on the dark side of what is not known or on its bright one.
class Outlook {
 public:
  Outlook(const BatchPolicy& policy, const ConcurrencyCosts& costs, int instances, const PlanInputs& inputs,
          bool bright)
      : policy_(policy), costs_(costs), instances_(instances), inputs_(inputs), bright_(bright) {}

  SizedOption of(int64_t rows) const {
    const auto estimate = costs_.estimate(instances_, policy_.filled(rows), inputs_.now);
    return bright_ ? sized(policy_, rows, instances_, estimate.expected, estimate.expected, inputs_.share)
                   : sized(policy_, rows, instances_, estimate.worst, estimate.p99, inputs_.share);
  }
  SizedOption best() const {
    std::vector<SizedOption> all;
    for (const int64_t rows : sizes_of(policy_)) all.push_back(of(rows));
    double rate = 0;
    for (const SizedOption& one : all) rate = std::max(rate, one.rate);
    const SizedOption* chosen = &all.front();  // where it can't be held, a request is answered soonest by itself
    for (const SizedOption& one : all)
      if (one.holds && one.rate >= kAsGood * rate) chosen = &one;
    return *chosen;
  }

 private:
  const BatchPolicy& policy_;
  const ConcurrencyCosts& costs_;
  const int instances_;
  const PlanInputs& inputs_;
  const bool bright_;
};

double rate_of(const SizedOption& size) { return size.holds ? size.rate : size.able; }

}  // namespace

InstanceOption best_option(const BatchPolicy& policy, const ConcurrencyCosts& costs, int instances,
                           const PlanInputs& inputs) {
  const int64_t rows = Outlook(policy, costs, instances, inputs, false).best().rows;
  return option_with(policy, costs, instances, rows, inputs);
}

InstanceOption option_with(const BatchPolicy& policy, const ConcurrencyCosts& costs, int instances, int64_t rows,
                           const PlanInputs& inputs) {
  const SizedOption size = Outlook(policy, costs, instances, inputs, false).of(rows);
  const auto estimate = costs.estimate(instances, policy.filled(rows), inputs.now);
  InstanceOption out;
  out.instances = instances;
  out.rows = rows;
  out.execution = estimate.worst;
  out.rate = out.promise = rate_of(size);
  out.holds = size.holds;
  out.measured = estimate.measured;
  const double spare = size.able - inputs.arrivals;
  out.p99 = spare <= 0 ? Duration::max()
                       : from_seconds(size.execution + size.tail + kTail * inputs.arrivals / (size.able * spare));
  // Half of the time that is left goes into waiting, at most: what follows may take longer than expected.
  const double left = std::max(0.0, to_seconds(policy.objective) * inputs.share - size.execution - size.tail) / 2;
  if (size.holds && inputs.arrivals > 0)
    out.delay = from_seconds(std::min(left, static_cast<double>(rows) / inputs.arrivals));
  if (!out.measured) {
    out.caution = std::max(1.0, to_seconds(estimate.worst) / to_seconds(estimate.expected));
    out.promise = rate_of(Outlook(policy, costs, instances, inputs, true).best());
  } else if (const int64_t seen = costs.executions(instances, inputs.now); seen < kFollowed && instances > 1) {
    const Duration fewer = costs.estimate(instances - 1, policy.filled(rows), inputs.now).expected;
    const double slower = std::max(1.0, size.execution / to_seconds(fewer));
    out.caution = 1 + (slower - 1) * (1 - static_cast<double>(seen) / kFollowed);
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
  return a.rate >= by * b.rate;
}

}  // namespace modelmill
