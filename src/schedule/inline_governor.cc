#include "schedule/inline_governor.h"

#include <algorithm>
#include <bit>

namespace modelmill {

void InlineGovernor::OnLoops::add(Duration cost, uint64_t now) {
  if (!known(now)) *this = {};
  last_seen_ = now;
  if (cost >= largest_) {
    second_ = largest_;
    largest_ = cost;
  } else if (cost > second_) {
    second_ = cost;
  }
  if (++count_ < kWindow) return;
  before_ = last_;
  last_ = second_;
  count_ = 0;
  largest_ = second_ = Duration{};
}

Duration InlineGovernor::OnLoops::p99() const {
  if (last_ == kUnknown) return count_ > 1 ? second_ : largest_;
  return std::min(last_, before_);
}

void InlineGovernor::OnThreads::add(Duration cost) { last_[count_++ % kLast] = cost; }

Duration InlineGovernor::OnThreads::median() const {
  std::array<Duration, kLast> sorted = last_;
  const auto held = static_cast<ptrdiff_t>(std::min<uint64_t>(count_, kLast));
  const auto middle = sorted.begin() + held / 2;
  std::nth_element(sorted.begin(), middle, sorted.begin() + held);
  return *middle;
}

size_t InlineGovernor::bucket(int64_t rows) {
  const auto r = static_cast<uint64_t>(std::max<int64_t>(1, rows));
  return std::min<size_t>(kBuckets - 1, static_cast<size_t>(std::bit_width(r - 1)));
}

const char* InlineGovernor::name(State state) {
  switch (state) {
    case State::kWarming: return "warming";
    case State::kAllowed: return "allowed";
    case State::kSuspended: return "suspended";
  }
  return "";
}

bool InlineGovernor::observe(const Execution& execution) {
  if (state_ == State::kSuspended) {
    if (execution.end < suspended_until_) return false;
    state_ = State::kAllowed;
  }
  const bool struck = struck_;
  if (watch_ > 0 && --watch_ == 0) struck_ = false;
  Duration cost = execution.wall;
  if (!execution.account) {
    if (cost > options_.bound) {
      watch_ = std::max(watch_, kWatchAfterDoubt);
      return false;
    }
  } else if (!execution.account->slept) {
    cost = std::min(cost, execution.account->processor);
  }
  if (execution.on_loop && cost > options_.overrun) {
    if (struck) {
      suspend(execution.end);
      return true;
    }
    struck_ = true;
    watch_ = kWatchAfterStrike;
    return false;
  }
  ++seen_;
  Bucket& b = buckets_[bucket(execution.rows)];
  if (execution.on_loop) {
    b.on_loops.add(cost, seen_);
  } else {
    b.on_threads.add(cost);
  }
  if (state_ == State::kWarming && seen_ >= options_.warm_up) state_ = State::kAllowed;
  return false;
}

void InlineGovernor::suspend(TimePoint now) {
  const bool soon = suspension_ > Duration{} && now - suspended_until_ < 10 * suspension_;
  suspension_ = soon ? std::min(2 * suspension_, kLongestSuspension) : kFirstSuspension;
  suspended_until_ = now + suspension_;
  state_ = State::kSuspended;
  struck_ = false;
  watch_ = kWatchAfterStrike;
}

Duration InlineGovernor::cost(const Bucket& bucket) const {
  if (bucket.on_loops.known(seen_)) return bucket.on_loops.p99();
  return bucket.on_threads.known() ? bucket.on_threads.median() : kUnknown;
}

Duration InlineGovernor::p99(int64_t rows) const {
  const size_t b = bucket(rows);
  if (const Duration own = cost(buckets_[b]); own != kUnknown) return own;
  // A smaller batch, scaled as if rows cost all there is; else a larger one.
  for (size_t i = b; i-- > 0;)
    if (const Duration smaller = cost(buckets_[i]); smaller != kUnknown) return smaller * (int64_t{1} << (b - i));
  for (size_t i = b + 1; i < kBuckets; ++i)
    if (const Duration larger = cost(buckets_[i]); larger != kUnknown) return larger;
  return kUnknown;
}

int64_t InlineGovernor::allowed_rows(int64_t wanted, Duration budget) const {
  if (state_ != State::kAllowed || budget <= Duration{}) return 0;
  const Duration limit = std::min(options_.bound, budget);
  for (int64_t rows = wanted; rows > 0;) {
    if (p99(rows) < limit) return rows;
    // The next bucket below: the largest power of two under `rows`.
    rows = rows == 1 ? 0 : static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(rows - 1)));
  }
  return 0;
}

}  // namespace modelmill
