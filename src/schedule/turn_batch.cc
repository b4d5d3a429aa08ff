// What a version runs on the loop that received it.
#include "schedule/turn_batch.h"

#include <algorithm>
#include <utility>

#include "base/brief_lock.h"
#include "catalog/shape_class.h"
#include "request/background.h"
#include "schedule/lane.h"

namespace modelmill {

VersionScheduler::TurnBatch* VersionScheduler::turn_batch() {
  const size_t slot = thread_slot();
  if (slot >= kThreadSlots) return nullptr;
  TurnBatch* batch = turn_batches_[slot].load(std::memory_order_acquire);
  if (!batch) {
    batch = new TurnBatch(*this);  // owned by the slot, deleted in the destructor
    turn_batches_[slot].store(batch, std::memory_order_release);
  }
  return batch;
}

bool VersionScheduler::hold_for_turn(InferRequestPtr& request) {
  if (inline_state_.load(std::memory_order_relaxed) != InlineGovernor::State::kAllowed) return false;
  Turn* turn = Turn::current();
  if (!turn || is_background(*request)) return false;
  TurnBatch* batch = turn_batch();
  if (!batch) return false;
  // What is queued comes first. But once a turn holds requests the later ones stay behind them.
  if (batch->held.empty()) {
    if (!nobody_waits_.load(std::memory_order_relaxed) || turn->budget_left() <= Duration{}) return false;
    turn->at_end(batch);
  }
  batch->held.push_back(std::move(request));
  return true;
}

void VersionScheduler::run_turn(Turn& turn, std::vector<InferRequestPtr>& held) {
  size_t next = 0;
  while (true) {
    while (next < held.size() && !held[next]) ++next;  // taken into an earlier batch
    if (next == held.size()) return;
    const TimePoint begin = time_.now();
    if (Status status = no_longer_wanted(*held[next], begin); !status.ok()) {
      held[next++]->fail(std::move(status));
      continue;
    }
    const Prefix all = measure(held, next, policy_.max_rows);
    int64_t allowed = 0;
    bool watched = false;
    Lane* lane = begin_on_loop(begin, held[next]->batch_rows, all.rows, turn.budget_left(), allowed, watched);
    if (!lane) break;
    const CutReason reason = all.full || allowed < all.rows ? CutReason::kFull : CutReason::kIdleInstance;
    execute(*lane, take_batch(held, next, std::min(allowed, policy_.max_rows)), reason, begin, &turn, watched);
  }
  for (; next < held.size(); ++next)
    if (held[next]) enqueue(std::move(held[next]));
}

VersionScheduler::Prefix VersionScheduler::measure(const std::vector<InferRequestPtr>& held, size_t from,
                                                   int64_t max_rows) const {
  Prefix prefix;
  for (size_t i = from; i < held.size(); ++i) {
    if (!held[i] || (i > from && by_shape_ && !same_shape_class(*held[from], *held[i]))) continue;
    if (i > from && prefix.rows + held[i]->batch_rows > max_rows) {
      prefix.full = true;
      return prefix;
    }
    prefix.rows += held[i]->batch_rows;
  }
  prefix.full = prefix.rows >= max_rows;
  return prefix;
}

std::vector<InferRequestPtr> VersionScheduler::take_batch(std::vector<InferRequestPtr>& held, size_t from,
                                                          int64_t max_rows) const {
  std::vector<InferRequestPtr> batch;
  int64_t rows = held[from]->batch_rows;
  batch.push_back(std::move(held[from]));
  for (size_t i = from + 1; i < held.size() && rows < max_rows; ++i) {
    if (!held[i] || (by_shape_ && !same_shape_class(*batch.front(), *held[i]))) continue;
    if (rows + held[i]->batch_rows > max_rows) break;
    rows += held[i]->batch_rows;
    batch.push_back(std::move(held[i]));
  }
  return batch;
}

VersionScheduler::Lane* VersionScheduler::begin_on_loop(TimePoint begin, int64_t first, int64_t wanted, Duration budget,
                                                        int64_t& allowed, bool& watched) {
  BriefLock lock(mutex_);
  if (stopping_ || suspended() || !queue_.nobody_waits() || idle_.empty()) return nullptr;
  allowed = governor_.allowed_rows(wanted, budget);
  if (allowed < first) return nullptr;
  Lane* lane = idle_.back();
  idle_.pop_back();
  lane->state = Lane::State::kOnLoop;
  lane->shape_class = 0;  // finding out the class costs too much here; what runs on loops is learned of together
  lane->shapes.clear();
  lane->background = false;
  ++running_;
  if (measures_) note_begin(*lane, begin);
  watched = governor_.watches();
  return lane;
}

}  // namespace modelmill
