#pragma once

#include <cstddef>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace modelmill {

/// A loop parses, inflates, compresses and writes no more than this at a time; what is larger is work for an Offload.
inline constexpr size_t kLoopBytes = 64 * 1024;

/// Threads for work that is too much for an event loop: taking large bodies apart, writing large answers. Bounded, so
/// that what can't be done in time is refused rather than piled up. Thread-safe.
class Offload {
 public:
  /// At most `most_waiting` tasks wait for one of the `threads`.
  Offload(int threads, size_t most_waiting);
  ~Offload() { stop(); }
  Offload(const Offload&) = delete;
  Offload& operator=(const Offload&) = delete;

  /// Runs `task` on one of the threads. False, and it is not run: too many wait, or stop() has been called.
  [[nodiscard]] bool run(std::function<void()> task);

  /// One thread more, until narrow(): for a task that waits for what another one does.
  void widen();
  void narrow();

  /// Runs what waits, ends the threads and joins them. Idempotent.
  void stop();

 private:
  void work();

  const size_t most_waiting_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> tasks_ MM_GUARDED_BY(mutex_);
  bool stopped_ MM_GUARDED_BY(mutex_) = false;
  size_t width_ MM_GUARDED_BY(mutex_);                      // tasks at a time
  size_t running_ MM_GUARDED_BY(mutex_) = 0;                // tasks
  std::vector<std::thread> threads_ MM_GUARDED_BY(mutex_);  // as many as there ever had to be
};

}  // namespace modelmill
