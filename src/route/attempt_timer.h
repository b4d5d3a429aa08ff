#pragma once

#include <functional>
#include <queue>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// Calls back when a time has come: for attempts that may take only so long. One thread, which begins with the first
/// call, and which the callbacks share, so they are short. Thread-safe.
class AttemptTimer {
 public:
  AttemptTimer() = default;
  /// Calls that have not come to their time are not made.
  ~AttemptTimer();
  AttemptTimer(const AttemptTimer&) = delete;
  AttemptTimer& operator=(const AttemptTimer&) = delete;

  void call_at(TimePoint when, std::function<void()> call);

 private:
  struct Entry {
    TimePoint when;
    std::function<void()> call;
  };
  struct Later {
    bool operator()(const Entry& a, const Entry& b) const { return a.when > b.when; }
  };
  void work();

  Mutex mutex_;
  CondVar changed_;
  std::priority_queue<Entry, std::vector<Entry>, Later> entries_ MM_GUARDED_BY(mutex_);
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::thread thread_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
