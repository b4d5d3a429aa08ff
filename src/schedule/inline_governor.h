#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"

namespace modelmill {

/// Decides whether and how much of a version may run on the event loop that received it: after a warm-up, while the
/// learned p99 of a batch stays below a bound, within what is left of the turn's budget, and until an overrun is
/// proven. That suspends it: for kFirstSuspension, and for twice as long each time that it is proven again, up to
/// kLongestSuspension. A suspension not followed by another within ten times its length is forgotten.
///
/// A clock on the wall does not tell an overrun from a thread that the kernel took off its core, which on a busy
/// machine happens to everyone all the time. So a long execution is proven by the kernel's account of the thread
/// (processor time, and whether it went to sleep by itself), which costs too much to be taken always: the first
/// executions are watched, and the next few after each that looked long. And since that account too charges a thread
/// with what an interrupt or a hypervisor took, the proof is two such executions, of which the second is among the next
/// that are watched after the first. A model that is slow gives it within a few turns. Not synchronised; knows no
/// clock.
class InlineGovernor {
 public:
  struct Options {
    int warm_up = 20;                                // executions
    Duration bound = std::chrono::microseconds(50);  // of the p99 of a batch
    Duration overrun = std::chrono::microseconds(200);
  };
  static constexpr Duration kFirstSuspension = std::chrono::milliseconds(50);
  static constexpr Duration kLongestSuspension = std::chrono::minutes(1);

  /// What the kernel says of one execution.
  struct Account {
    Duration processor{};
    bool slept = false;
  };
  struct Execution {
    int64_t rows = 1;
    Duration wall{};
    TimePoint end{};
    bool on_loop = false;
    const Account* account = nullptr;  // null: not watched
  };
  enum class State { kWarming, kAllowed, kSuspended };
  /// "warming", "allowed", "suspended".
  static const char* name(State state);

  InlineGovernor() : InlineGovernor(Options()) {}
  explicit InlineGovernor(const Options& options) : options_(options) {}

  State state() const { return state_; }
  /// Whether the next execution should be measured with an Account.
  bool watches() const { return state_ != State::kSuspended && watch_ > 0; }

  /// Learns from an execution, on a loop or on an instance's thread. True when this one suspended it.
  bool observe(const Execution& execution);
  /// The length of the last suspension; zero: there was none.
  Duration suspension() const { return suspension_; }

  /// The most rows, up to `wanted`, that may run inline as one batch with this much budget left; 0: none.
  int64_t allowed_rows(int64_t wanted, Duration budget) const;

  /// The learned p99 of a batch of this many rows; kUnknown until one not larger, or a larger one, was seen.
  Duration p99(int64_t rows) const;
  static constexpr Duration kUnknown = Duration::max();

 private:
  /// The p99 of batches of (2^(i-1), 2^i] rows, as the second largest of the last 128 to 256 of them.
  struct Quantile {
    static constexpr int kWindow = 128;
    int count = 0;
    Duration largest{};
    Duration second{};
    Duration last_window{};  // zero: there was none yet
    void add(Duration cost);
    Duration value() const { return last_window == Duration{} ? second_of_all() : std::max(last_window, second); }
    Duration second_of_all() const { return count > 1 ? second : largest; }
  };
  static constexpr size_t kBuckets = 24;
  static constexpr int kWatchFirst = 64;
  static constexpr int kWatchAfterDoubt = 8;
  static constexpr int kWatchAfterStrike = 64;

  static size_t bucket(int64_t rows);
  void suspend(TimePoint now);

  Options options_;
  State state_ = State::kWarming;
  int seen_ = 0;
  int watch_ = kWatchFirst;  // executions still to be watched
  bool struck_ = false;      // one of those watched overran
  TimePoint suspended_until_{};
  Duration suspension_{};
  std::array<Quantile, kBuckets> quantiles_{};
};

}  // namespace modelmill
