#pragma once

#include <cstdint>
#include <functional>
#include <mutex>

#include "modelmill/backend.hpp"

namespace modelmill::backend {

/// Ends the runs of an instance that nobody waits for any more: those whose requests have all been cancelled, or have
/// passed their deadlines, while they run. One run at a time. Costs a run two locks that nobody else holds, and the
/// process, while executions run, a look at them every few milliseconds by one thread for all instances of the plugin.
class RunWatch {
 public:
  /// `terminate` has the run end early. Called by another thread while it runs, perhaps again and again until it ends.
  explicit RunWatch(std::function<void()> terminate);
  ~RunWatch();
  RunWatch(const RunWatch&) = delete;
  RunWatch& operator=(const RunWatch&) = delete;

  /// A run, which is watched from here to end() or the destructor.
  class Run {
   public:
    Run(RunWatch& watch, const Execution& execution);
    ~Run() { end(); }
    Run(const Run&) = delete;
    Run& operator=(const Run&) = delete;
    /// It is not terminated any more. Returns whether it was.
    bool end();

   private:
    RunWatch& watch_;
  };

  /// Whether the thread sleeps until something runs.
  static bool is_asleep();

  /// Looks at the run, which is terminated when it was there at the last look too and nobody waits for it. Returns
  /// whether there was one since.
  bool look();

 private:
  const std::function<void()> terminate_;
  std::mutex mutex_;
  const Execution* running_ = nullptr;
  uint64_t runs_ = 0, seen_ = 0;
  bool terminated_ = false;
};

/// Answers the requests of an execution that was terminated: each with why nobody waits for it.
void fail_unwanted(Execution& execution);

}  // namespace modelmill::backend
