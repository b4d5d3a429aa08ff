#pragma once

#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/mutex.h"

namespace modelmill {

/// Turns SIGTERM and SIGINT into something to wait for. Made on the main thread before there are others, which inherit
/// its signal mask; nothing runs in a handler. The first signal asks for an orderly stop; a later one ends the process
/// at once with 128 plus its number. While it lives SIGPIPE is ignored. One of it in a process.
class SignalWatcher {
 public:
  /// Supervisors and terminals often signal a process and its group, so one wish to stop arrives twice: what comes
  /// within `same_wish` of the first signal is no second one.
  explicit SignalWatcher(Duration same_wish = std::chrono::milliseconds(500));
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;

  /// Blocks until a signal has come, and returns it.
  int wait_signal();
  /// Blocks until a signal has come (true), or until then.
  bool wait_signal_until(TimePoint when);
  /// Blocks until a signal has come or wake() was called.
  void wait_signal_or_wake();
  /// Ends wait_signal_or_wake(). Thread-safe.
  void wake();
  /// The signal that came, or 0.
  int received() const;

  /// Blocks until then. A further signal ends the process meanwhile, as ever.
  void pause_until(TimePoint when);

  /// Ends the process with `exit_code` at `when`, whatever its threads are doing then: the last resort of an orderly
  /// stop. The watcher's destructor calls it off. Thread-safe.
  void exit_at(TimePoint when, int exit_code);

 private:
  void watch();

  const Duration same_wish_;
  int signal_fd_;
  int event_fd_;
  mutable Mutex mutex_;
  CondVar changed_;
  int signal_ MM_GUARDED_BY(mutex_) = 0;
  TimePoint signalled_ MM_GUARDED_BY(mutex_) = kNever;
  bool woken_ MM_GUARDED_BY(mutex_) = false;
  bool stopping_ MM_GUARDED_BY(mutex_) = false;
  TimePoint exit_when_ MM_GUARDED_BY(mutex_) = kNever;
  int exit_code_ MM_GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace modelmill
