#include "schedule/batch_policy.h"

#include <algorithm>

namespace modelmill {
namespace {

/// How the queue's requests fill a batch.
struct Fill {
  size_t fitting = 0;    // requests that fit
  int64_t rows = 0;      // their rows
  size_t preferred = 0;  // requests that make the largest preferred size; 0: none does
  bool full = false;     // it cannot grow any more
};

Fill fill_batch(const BatchPolicy& policy, std::span<const int64_t> rows) {
  Fill fill;
  for (const int64_t r : rows) {
    if (fill.fitting > 0) {
      // Requests of several rows may step over every preferred size: then stop before the largest.
      const bool steps_over = !policy.preferred.empty() && fill.rows + r > policy.preferred.back();
      if (steps_over && fill.preferred == 0) fill.preferred = fill.fitting;
      if (fill.rows + r > policy.max_rows) {
        fill.full = true;
        return fill;
      }
    }
    fill.rows += r;
    ++fill.fitting;
    if (std::binary_search(policy.preferred.begin(), policy.preferred.end(), fill.rows)) fill.preferred = fill.fitting;
  }
  fill.full = fill.rows >= policy.max_rows;
  return fill;
}

BatchDecision cut(size_t requests, CutReason reason) {
  return {.action = BatchDecision::Action::kCut, .requests = requests, .reason = reason};
}

}  // namespace

BatchPolicy BatchPolicy::from(const BatchingDefinition& batching, int64_t max_rows) {
  BatchPolicy policy;
  if (batching.mode != BatchingDefinition::Mode::kDisabled) policy.max_rows = std::max<int64_t>(1, max_rows);
  if (policy.max_rows == 1) return policy;
  policy.max_delay = batching.max_queue_delay;
  for (const int64_t size : batching.preferred_sizes)
    if (size > 0 && size <= policy.max_rows) policy.preferred.push_back(size);
  std::sort(policy.preferred.begin(), policy.preferred.end());
  return policy;
}

BatchDecision decide(const BatchPolicy& policy, TimePoint now, const QueueView& queue, const InstanceView& instances) {
  if (queue.rows.empty() || instances.idle == 0) return {};
  const Fill fill = fill_batch(policy, queue.rows);
  if (policy.work_conserving()) return cut(fill.fitting, fill.full ? CutReason::kFull : CutReason::kIdleInstance);

  const TimePoint over = queue.oldest + policy.max_delay;
  const bool delay_over = policy.max_delay > Duration{} && now >= over;
  if (fill.preferred > 0 && !delay_over) return cut(fill.preferred, CutReason::kFull);
  if (fill.full) return cut(fill.fitting, CutReason::kFull);
  if (!policy.preferred.empty() && fill.rows >= policy.preferred.back()) return cut(fill.fitting, CutReason::kFull);
  if (policy.max_delay == Duration{}) return cut(fill.fitting, CutReason::kIdleInstance);
  if (delay_over) return cut(fill.fitting, CutReason::kDelayOver);
  if (queue.nearest_deadline < over) return cut(fill.fitting, CutReason::kDeadline);
  return {.action = BatchDecision::Action::kWait, .until = over};
}

}  // namespace modelmill
