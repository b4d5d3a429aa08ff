#include "schedule/batch_policy.h"

#include <algorithm>
#include <bit>
#include <numeric>

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

/// A batch is split among idle instances when its parts have this much of its rate.
constexpr double kSplitsWell = 0.97;
/// A batch waits for more rows when they raise its rate so much.
constexpr double kWorthWaiting = 1.1;

Duration planned(const BatchPolicy& policy, double share) {
  return std::chrono::duration_cast<Duration>(policy.objective * share);
}

/// Whether the requests wait for more to come, because those would be cheaper together; `until` and `goal` are set.
bool waits_for_more(const BatchPolicy& policy, const QueueView& queue, const LoadView& load, int64_t rows,
                    int64_t limit, const CostCurve& cost, BatchDecision& decision) {
  if (rows >= limit || load.arrivals <= 0) return false;
  // Half of the time that is left goes into waiting: what follows may take longer than expected.
  const Duration slack = planned(policy, load.share) - cost.p99(limit);
  if (slack <= Duration{}) return false;
  const double fill_seconds = static_cast<double>(limit - rows) / load.arrivals;
  const double wait_seconds = std::min(fill_seconds, to_seconds(slack) / 2);
  const auto more = static_cast<int64_t>(load.arrivals * wait_seconds);
  if (more < 1 || cost.rate(rows + more) < kWorthWaiting * cost.rate(rows)) return false;
  decision.action = BatchDecision::Action::kWait;
  decision.until = queue.oldest + std::chrono::nanoseconds(static_cast<int64_t>(wait_seconds * 1e9));
  decision.goal = limit;
  return true;
}

/// Without preferred sizes and delay.
BatchDecision decide_by_cost(const BatchPolicy& policy, TimePoint now, const QueueView& queue,
                             const InstanceView& instances, const CostCurve* cost, const LoadView& load) {
  int64_t limit = policy.max_rows;
  CutReason at_limit = CutReason::kFull;
  const auto lower = [&](int64_t to, CutReason reason) {
    if (to >= limit) return;
    limit = to;
    at_limit = reason;
  };
  if (cost && policy.max_rows > 1) {
    lower(cost->limit(), CutReason::kNoGain);
    if (policy.objective > Duration{}) lower(rows_within_objective(policy, *cost, load.share), CutReason::kObjective);
    const auto waiting = std::accumulate(queue.rows.begin(), queue.rows.end(), int64_t{0});
    if (instances.idle > 1 && queue.rows.size() > 1) {
      const int64_t whole = std::min(limit, waiting);
      const int64_t part = (waiting + instances.idle - 1) / instances.idle;
      if (part < whole && cost->rate(part) >= kSplitsWell * cost->rate(whole)) lower(part, CutReason::kIdleInstance);
    }
  }
  const Fill fill = fill_batch(policy, limit, queue.rows);
  if (fill.full) return cut(fill.fitting, at_limit);
  BatchDecision wait;
  if (cost && cost->known() && policy.objective > Duration{} &&
      waits_for_more(policy, queue, load, fill.rows, limit, *cost, wait)) {
    if (queue.nearest_deadline < wait.until) return cut(fill.fitting, CutReason::kDeadline);
    if (now < wait.until) return wait;
    return cut(fill.fitting, CutReason::kDelayOver);
  }
  return cut(fill.fitting, CutReason::kIdleInstance);
}

}  // namespace

int64_t rows_within_objective(const BatchPolicy& policy, const CostCurve& cost, double share) {
  if (!cost.known()) return policy.max_rows;
  for (int64_t rows = policy.max_rows; rows > 1;
       rows = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows - 1))))
    if (2 * cost.expected(rows) <= planned(policy, share)) return rows;
  return 1;
}

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

int64_t BatchPolicy::filled(int64_t rows) const {
  const auto size = std::lower_bound(allowed.begin(), allowed.end(), rows);
  return size == allowed.end() ? rows : *size;
}

BatchDecision decide(const BatchPolicy& policy, TimePoint now, const QueueView& queue, const InstanceView& instances,
                     const CostCurve* cost, const LoadView& load) {
  if (queue.rows.empty() || instances.idle == 0) return {};
  if (!policy.by_hand()) return decide_by_cost(policy, now, queue, instances, cost, load);

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

}  // namespace modelmill
