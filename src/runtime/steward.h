#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// A thread of the control plane that does its regular tasks, one after another: each every so often, and all at once
/// when it is woken. Tasks may block; the others then come later.
class Steward {
 public:
  using Task = std::function<void(TimePoint now)>;

  Steward() = default;
  ~Steward() { stop(); }
  Steward(const Steward&) = delete;
  Steward& operator=(const Steward&) = delete;

  /// Adds a task; before start().
  void every(Duration interval, Task task);
  void start();
  /// Waits for the task that runs; no other begins. Idempotent.
  void stop();
  /// Every task is due now. Thread-safe; cheap, and calls nobody.
  void wake();

  /// Runs what is due at `now`; when there is something to do next. What the thread does, for tests too.
  TimePoint run_due(TimePoint now);

 private:
  struct Entry {
    Duration interval;
    Task task;
    TimePoint due{};
  };
  void run();

  std::vector<Entry> tasks_;  // constant once started, but for `due`, which is the thread's
  Mutex mutex_;
  CondVar changed_;
  bool woken_ MM_GUARDED_BY(mutex_) = false;
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace modelmill
