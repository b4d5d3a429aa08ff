#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "unique_fd.h"

namespace modelmill::python {

/// The one thread that looks after all workers: it starts them (a worker dies with the thread that started it), reads
/// their logs and calls, and keeps time. It lives as long as the process. What it runs must not block.
class Keeper {
 public:
  using Clock = std::chrono::steady_clock;
  static Keeper& get();

  /// Runs `task` on the keeper's thread, soon or at `when`. Any thread.
  void post(std::function<void()> task, Clock::time_point when = {});

  // On the keeper's thread only:

  /// Calls `ready` with epoll's events of `fd`. EPOLLET and others as in epoll_ctl.
  void watch(int fd, uint32_t events, std::function<void(uint32_t)> ready);
  void change(int fd, uint32_t events);
  void unwatch(int fd);

 private:
  Keeper();
  void run();
  int run_due();

  UniqueFd epoll_, wake_;
  std::unordered_map<int, std::shared_ptr<std::function<void(uint32_t)>>> watched_;
  std::mutex mutex_;
  std::multimap<Clock::time_point, std::function<void()>> tasks_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace modelmill::python
