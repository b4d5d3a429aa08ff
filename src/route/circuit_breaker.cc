#include "route/circuit_breaker.h"

namespace modelmill {

bool CircuitBreaker::allow(const BreakerSettings& settings, TimePoint now) {
  if (state() == State::kClosed) return true;
  const MutexLock lock(mutex_);
  const State state = state_.load(std::memory_order_relaxed);
  if (state == State::kClosed) return true;
  if (state == State::kOpen) {
    if (now < until_) return false;
    good_probes_ = 0;
    state_.store(State::kHalfOpen, std::memory_order_release);
  } else if (now < probing_) {
    return false;
  }
  // One that is never heard of again must not block the way for ever.
  probing_ = now + settings.open_for;
  return true;
}

void CircuitBreaker::succeeded(const BreakerSettings& settings) {
  if (state() == State::kClosed) {
    if (failures_.load(std::memory_order_relaxed) != 0) failures_.store(0, std::memory_order_relaxed);
    return;
  }
  const MutexLock lock(mutex_);
  if (state_.load(std::memory_order_relaxed) != State::kHalfOpen) return;  // it began before
  probing_ = {};
  if (++good_probes_ < settings.probes) return;
  failures_.store(0, std::memory_order_relaxed);
  state_.store(State::kClosed, std::memory_order_release);
}

void CircuitBreaker::failed(const BreakerSettings& settings, TimePoint now) {
  if (state() == State::kClosed && failures_.fetch_add(1, std::memory_order_relaxed) + 1 < settings.failures) return;
  const MutexLock lock(mutex_);
  if (state_.load(std::memory_order_relaxed) != State::kOpen) open(settings, now);
}

void CircuitBreaker::open(const BreakerSettings& settings, TimePoint now) {
  until_ = now + settings.open_for;
  probing_ = {};
  state_.store(State::kOpen, std::memory_order_release);
}

void CircuitBreaker::said_nothing() {
  if (state() != State::kHalfOpen) return;
  const MutexLock lock(mutex_);
  probing_ = {};
}

}  // namespace modelmill
