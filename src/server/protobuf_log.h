#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// Lets one message through in so much time, and counts the others. Thread-safe.
class LogThrottle {
 public:
  explicit LogThrottle(Duration interval) : interval_(interval) {}

  /// How many messages were kept back since the last one that went through, when this one may; else nullopt.
  std::optional<uint64_t> admit(TimePoint now);

 private:
  const Duration interval_;
  Mutex mutex_;
  std::optional<TimePoint> last_ MM_GUARDED_BY(mutex_);
  uint64_t kept_back_ MM_GUARDED_BY(mutex_) = 0;
};

/// What protobuf says of messages that clients send (a name that isn't UTF-8) goes to the log instead of to standard
/// error, one line in ten seconds at most, so that no client can fill it. To be called before messages are read.
void take_over_protobuf_log();

}  // namespace modelmill
