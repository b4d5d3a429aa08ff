#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/thread_times.h"

namespace modelmill {

/// Executions side by side on lanes.
struct LaneWork {
  int lanes = 1;
  int threads = 1;                   // that an execution is spread over
  std::function<bool(int)> execute;  // one on the lane of that number; false: it failed
};

/// Measures what executions take on a machine that serves traffic meanwhile: times are less what others that ran on the
/// cores took from them, as the kernel tells of each thread. Threads of the process that were there when the timer was
/// made are others'; the caller's, the lanes', and those that runtimes started since are not. What a runtime does on
/// threads that it had before is measured with the waits for them.
class SliceTimer {
 public:
  /// On a machine of so many cores.
  explicit SliceTimer(int cores);

  /// Executions on all lanes for so long, at least one on each, after one on each that isn't counted (what a runtime
  /// does at the first use of a size). How many an undisturbed machine does in a second; nothing where one failed. Ends
  /// early when `stop` is set. Blocks.
  std::optional<double> rate(const LaneWork& work, Duration slice, const std::atomic<bool>& stop) const;

 private:
  std::map<pid_t, ThreadTimes> workers(const std::set<pid_t>& lanes) const;

  const int cores_;
  std::set<pid_t> others_;
};

}  // namespace modelmill
