#pragma once

#include <atomic>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// When a breaker opens and closes.
struct BreakerSettings {
  /// So many failures one after the other open it.
  int failures = 5;
  /// So long nothing is let through; then one request at a time is, to probe.
  Duration open_for = std::chrono::seconds(5);
  /// So many good probes one after the other close it; a bad one opens it again.
  int probes = 2;

  bool operator==(const BreakerSettings&) const = default;
};

/// Keeps requests from what fails, so that they need not wait to learn it, and lets it recover. Thread-safe; while it
/// is closed, allow() and succeeded() are one atomic load each.
class CircuitBreaker {
 public:
  enum class State { kClosed = 0, kHalfOpen = 1, kOpen = 2 };

  /// Whether a request may try. One that may tells the outcome with one of the three below.
  bool allow(const BreakerSettings& settings, TimePoint now);
  void succeeded(const BreakerSettings& settings);
  void failed(const BreakerSettings& settings, TimePoint now);
  /// The outcome says nothing of what is protected: the client went away, or asked wrongly.
  void said_nothing();

  State state() const { return state_.load(std::memory_order_acquire); }

 private:
  void open(const BreakerSettings& settings, TimePoint now) MM_REQUIRES(mutex_);

  std::atomic<State> state_{State::kClosed};
  std::atomic<int> failures_{0};               // one after the other, while closed
  Mutex mutex_;                                // of the way from one state to another
  TimePoint until_ MM_GUARDED_BY(mutex_){};    // open: nothing before
  TimePoint probing_ MM_GUARDED_BY(mutex_){};  // half-open: a probe is on its way, and is waited for so long
  int good_probes_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill
