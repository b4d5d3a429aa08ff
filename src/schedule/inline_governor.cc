#include "schedule/inline_governor.h"

#include <algorithm>
#include <bit>

namespace modelmill {

void InlineGovernor::Quantile::add(Duration cost) {
  if (cost >= largest) {
    second = largest;
    largest = cost;
  } else if (cost > second) {
    second = cost;
  }
  if (++count < kWindow) return;
  last_window = std::max(second, Duration(1));
  count = 0;
  largest = second = Duration{};
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
  quantiles_[bucket(execution.rows)].add(cost);
  if (state_ == State::kWarming && ++seen_ >= options_.warm_up) state_ = State::kAllowed;
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

Duration InlineGovernor::p99(int64_t rows) const {
  const size_t b = bucket(rows);
  const auto known = [this](size_t i) { return quantiles_[i].count > 0 || quantiles_[i].last_window > Duration{}; };
  if (known(b)) return quantiles_[b].value();
  // A smaller batch, scaled as if rows cost all there is; else a larger one.
  for (size_t i = b; i-- > 0;)
    if (known(i)) return quantiles_[i].value() * (int64_t{1} << (b - i));
  for (size_t i = b + 1; i < kBuckets; ++i)
    if (known(i)) return quantiles_[i].value();
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
