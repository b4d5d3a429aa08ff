#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace modelmill {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using Duration = Clock::duration;

/// "Never": a deadline that does not exist.
inline constexpr TimePoint kNever = TimePoint::max();

/// Where decisions take their time from, so that tests need not sleep. Thread-safe.
class TimeSource {
 public:
  virtual ~TimeSource() = default;
  virtual TimePoint now() const = 0;

  /// The process's monotonic clock.
  static TimeSource& steady();
};

/// Moves only when told to. Thread-safe.
class ManualTime final : public TimeSource {
 public:
  TimePoint now() const override { return TimePoint(Duration(ticks_.load(std::memory_order_acquire))); }
  void advance(Duration d) { ticks_.fetch_add(d.count(), std::memory_order_acq_rel); }

 private:
  std::atomic<Duration::rep> ticks_{Duration(std::chrono::seconds(1'000)).count()};
};

inline int64_t to_ns(Duration d) { return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count(); }
inline int64_t to_ns(TimePoint t) { return to_ns(t.time_since_epoch()); }
inline double to_seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

}  // namespace modelmill
