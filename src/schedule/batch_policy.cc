#include "schedule/batch_policy.h"

#include <algorithm>
#include <numeric>
#include <optional>

#include "schedule/arrival_forecast.h"
#include "schedule/batch_price.h"

namespace modelmill {
namespace {

/// How the queue's requests fill a batch.
struct Fill {
  size_t fitting = 0;    // requests that fit
  int64_t rows = 0;      // their rows
  size_t preferred = 0;  // requests that make the largest preferred size; 0: none does
  bool full = false;     // it cannot grow any more
};

Fill fill_batch(const BatchPolicy& policy, int64_t max_rows, std::span<const int64_t> rows) {
  Fill fill;
  for (const int64_t r : rows) {
    if (fill.fitting > 0) {
      // Requests of several rows may step over every preferred size: then stop before the largest.
      const bool steps_over = !policy.preferred.empty() && fill.rows + r > policy.preferred.back();
      if (steps_over && fill.preferred == 0) fill.preferred = fill.fitting;
      if (fill.rows + r > max_rows) {
        fill.full = true;
        return fill;
      }
    }
    fill.rows += r;
    ++fill.fitting;
    if (std::binary_search(policy.preferred.begin(), policy.preferred.end(), fill.rows)) fill.preferred = fill.fitting;
  }
  fill.full = fill.rows >= max_rows;
  return fill;
}

BatchDecision cut(size_t requests, CutReason reason) {
  return {.action = BatchDecision::Action::kCut, .requests = requests, .reason = reason};
}

/// A batch is cut at an allowed size when both parts take so little of the time of the whole, filled up.
constexpr double kCheaper = 0.95;

/// Executions shorter than this are over before a wait would be.
constexpr Duration kWorthGathering = std::chrono::microseconds(100);
/// The part of a batch's own time that it may be held back for those that follow, from when it could have run.
constexpr int kPartOfExecution = 4;

/// How many of the idle instances so many rows are to be split among: the product of the time and of the processor time
/// is the least.
int64_t instances_to_use(const BatchPrice& price, int64_t rows, int64_t limit, int idle) {
  int64_t best = 1;
  double least = 0;
  for (int64_t n = 1;; n = std::min<int64_t>(2 * n, idle)) {
    const double seconds = to_seconds(price.expected(std::min(limit, (rows + n - 1) / n)));
    const double cost = static_cast<double>(n) * seconds * seconds;
    if (n == 1 || cost < least) least = cost, best = n;
    if (n == idle) return best;
  }
}

/// How long a batch of so many rows may wait for those up to `goal`; kNever: it is not worth it.
TimePoint gathered_until(const BatchPrice& price, TimePoint now, const QueueView& queue, int64_t rows, int64_t goal,
                         const ArrivalForecast& forecast) {
  const Duration execution = price.expected(rows);
  if (execution < kWorthGathering) return kNever;
  const double missing = static_cast<double>(goal - rows);
  // As much longer as the rate of the larger batch allows; of that, each of the requests that are missing has its part.
  const double worth =
      to_seconds(execution) * static_cast<double>(goal) / static_cast<double>(rows) - to_seconds(price.expected(goal));
  const double each = worth / std::max(1.0, missing / forecast.mean_rows());
  const Duration patience = forecast.patience(std::chrono::nanoseconds(static_cast<int64_t>(each * 1e9)), now);
  if (patience == Duration{}) return kNever;
  // Answers of other instances move the second bound on; the third one stays.
  return std::min({forecast.last_event() + patience,
                   std::max(queue.oldest, forecast.last_answer()) + execution / kPartOfExecution,
                   queue.oldest + 3 * price.expected(goal) / 2});
}

/// Without an objective: the batch is cut, or waits a moment for what is about to come.
BatchDecision gather(const BatchPrice* price, TimePoint now, const QueueView& queue, const Fill& fill, int64_t goal,
                     const LoadView& load) {
  BatchDecision now_or_never = cut(fill.fitting, CutReason::kIdleInstance);
  if (!load.forecast || !price || !price->known() || fill.rows >= goal || !queue.alone) return now_or_never;
  const TimePoint until = gathered_until(*price, now, queue, fill.rows, goal, *load.forecast);
  if (until == kNever) return now_or_never;
  if (queue.nearest_deadline < until) return cut(fill.fitting, CutReason::kDeadline);
  if (now < until) return {.action = BatchDecision::Action::kWait, .until = until, .goal = goal};
  now_or_never.goal = goal;
  return now_or_never;
}

/// Without preferred sizes and delay.
BatchDecision decide_by_cost(const BatchPolicy& policy, TimePoint now, const QueueView& queue,
                             const InstanceView& instances, const BatchPrice* price, const LoadView& load) {
  int64_t limit = policy.max_rows;
  CutReason at_limit = CutReason::kFull;
  const auto lower = [&](int64_t to, CutReason reason) {
    if (to >= limit) return;
    limit = to;
    at_limit = reason;
  };
  // Rows that wait, or are about to.
  int64_t rows = std::accumulate(queue.rows.begin(), queue.rows.end(), int64_t{0});
  if (load.forecast && queue.alone) rows = std::max(rows, load.forecast->population() - load.running_rows);
  if (price && policy.max_rows > 1) {
    lower(price->limit(), CutReason::kNoGain);
    if (policy.objective > Duration{})
      lower(std::min(price->rows_within_objective(load.share), load.most_rows), CutReason::kObjective);
    if (instances.idle > 1 && rows > queue.rows.front() && price->known()) {
      const int64_t n = instances_to_use(*price, rows, limit, instances.idle);
      if (n > 1) lower((rows + n - 1) / n, CutReason::kIdleInstance);
    }
  }
  const Fill fill = fill_batch(policy, limit, queue.rows);
  if (fill.full) return cut(fill.fitting, at_limit);
  if (policy.objective == Duration{}) return gather(price, now, queue, fill, std::min(limit, rows), load);
  const Duration wait =
      price && price->known()
          ? std::min(time_to_wait(*price, fill.rows, limit, load.arrivals, load.share), load.most_wait)
          : Duration{};
  if (wait > Duration{}) {
    const TimePoint until = queue.oldest + wait;
    if (queue.nearest_deadline < until) return cut(fill.fitting, CutReason::kDeadline);
    if (now < until) return {.action = BatchDecision::Action::kWait, .until = until, .goal = limit};
    return cut(fill.fitting, CutReason::kDelayOver);
  }
  return cut(fill.fitting, CutReason::kIdleInstance);
}

BatchDecision decide_by_hand(const BatchPolicy& policy, TimePoint now, const QueueView& queue) {
  const Fill fill = fill_batch(policy, policy.max_rows, queue.rows);
  const TimePoint over = queue.oldest + policy.max_delay;
  const bool delay_over = policy.max_delay > Duration{} && now >= over;
  if (fill.preferred > 0 && !delay_over) return cut(fill.preferred, CutReason::kFull);
  if (fill.full) return cut(fill.fitting, CutReason::kFull);
  if (!policy.preferred.empty() && fill.rows >= policy.preferred.back()) return cut(fill.fitting, CutReason::kFull);
  if (policy.max_delay == Duration{}) return cut(fill.fitting, CutReason::kIdleInstance);
  if (delay_over) return cut(fill.fitting, CutReason::kDelayOver);
  if (queue.nearest_deadline < over) return cut(fill.fitting, CutReason::kDeadline);
  return {.action = BatchDecision::Action::kWait, .until = over, .goal = policy.smallest_goal()};
}

/// Makes a cut that would be filled up one of an allowed size, where that and what it leaves are cheaper.
void avoid_filling(const BatchPolicy& policy, const QueueView& queue, const BatchPrice& price,
                   BatchDecision& decision) {
  int64_t all = 0, exact = 0;
  size_t requests = 0;  // that make the largest allowed size, `exact`, with some left
  for (size_t i = 0; i < decision.requests; ++i) {
    all += queue.rows[i];
    if (i + 1 < decision.requests && policy.filled(all) == all) exact = all, requests = i + 1;
  }
  if (requests == 0 || policy.filled(all) == all) return;
  const auto seconds = [&price](int64_t rows) { return static_cast<double>(rows) / price.rate(rows); };
  if (seconds(exact) + seconds(all - exact) <= kCheaper * seconds(all)) decision = cut(requests, CutReason::kNoGain);
}

}  // namespace

BatchPolicy BatchPolicy::from(const BatchingDefinition& batching, int64_t max_rows) {
  BatchPolicy policy;
  if (batching.mode != BatchingDefinition::Mode::kDisabled) policy.max_rows = std::max<int64_t>(1, max_rows);
  policy.objective = batching.objective_p99;
  if (policy.max_rows == 1) return policy;
  policy.max_delay = batching.max_queue_delay;
  for (const int64_t size : batching.preferred_sizes)
    if (size > 0 && size <= policy.max_rows) policy.preferred.push_back(size);
  std::sort(policy.preferred.begin(), policy.preferred.end());
  policy.allowed = batching.allowed_sizes;
  return policy;
}

BatchPolicy without_waits(BatchPolicy policy) {
  policy.max_delay = {};
  policy.objective = {};
  return policy;
}

int64_t BatchPolicy::filled(int64_t rows) const {
  const auto size = std::lower_bound(allowed.begin(), allowed.end(), rows);
  return size == allowed.end() ? rows : *size;
}

BatchDecision decide(const BatchPolicy& policy, TimePoint now, const QueueView& queue, const InstanceView& instances,
                     const CostCurve* cost, const LoadView& load) {
  if (queue.rows.empty() || instances.idle == 0) return {};
  std::optional<BatchPrice> price;
  if (cost) price.emplace(policy, *cost);
  BatchDecision decision = policy.by_hand()
                               ? decide_by_hand(policy, now, queue)
                               : decide_by_cost(policy, now, queue, instances, price ? &*price : nullptr, load);
  if (decision.action == BatchDecision::Action::kCut && price && price->known() && !policy.allowed.empty())
    avoid_filling(policy, queue, *price, decision);
  return decision;
}

}  // namespace modelmill
