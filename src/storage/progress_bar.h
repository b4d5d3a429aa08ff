#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "storage/transfer_progress.h"

namespace modelmill {

/// One line on a terminal: what is loaded, how much of it, how fast, and for how long still. A ProgressCallback.
/// Thread-safe.
class ProgressBar {
 public:
  /// `write` gets what is to appear, control characters included.
  ProgressBar(std::function<void(const std::string&)> write, const TimeSource& time);

  void show(const TransferProgress& progress);

  /// On standard error, if that is a terminal; none otherwise.
  static ProgressCallback for_stderr();

 private:
  const std::function<void(const std::string&)> write_;
  const TimeSource& time_;
  Mutex mutex_;
  std::string url_ MM_GUARDED_BY(mutex_);  // of the download that is shown; empty between two
  TimePoint begin_ MM_GUARDED_BY(mutex_);
  uint64_t first_bytes_ MM_GUARDED_BY(mutex_) = 0;  // that were there when it was first shown
};

}  // namespace modelmill
