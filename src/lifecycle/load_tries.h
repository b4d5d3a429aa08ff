#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"

namespace modelmill {

/// How often a load that failed is tried again, and how long after the failure.
struct LoadRetries {
  int64_t count = 0;
  Duration interval = std::chrono::seconds(10);
};

/// The loads of a version that have failed, and whether another one is to come. Not thread-safe: it is used under the
/// controller's lock.
class LoadTries {
 public:
  /// A load of what `stamp` names has failed: when the next one is due, which is waited for from now on. Nullopt: that
  /// was the last one. Another stamp is counted anew.
  std::optional<TimePoint> failed(const std::string& stamp, const LoadRetries& retries, TimePoint now);

  /// The stamp of what waits to be loaded again; empty: nothing does.
  const std::string& waiting() const { return waiting_; }
  bool due(TimePoint now) const { return !waiting_.empty() && now >= due_; }
  /// The next load begins, and counts as one more of the same.
  void begin() { waiting_.clear(); }
  /// It was loaded, given up, or is wanted no more.
  void forget() { *this = LoadTries(); }
  int64_t failures() const { return failures_; }

 private:
  std::string stamp_;  // of what has failed
  int64_t failures_ = 0;
  std::string waiting_;
  TimePoint due_{};
};

}  // namespace modelmill
