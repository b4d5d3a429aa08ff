#include "runtime/steward.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace modelmill {

void Steward::every(Duration interval, Task task) { tasks_.push_back({interval, std::move(task)}); }

void Steward::start() {
  if (tasks_.empty() || thread_.joinable()) return;
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "steward");
}

void Steward::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Steward::wake() {
  const MutexLock lock(mutex_);
  woken_ = true;
  changed_.notify_one();
}

TimePoint Steward::run_due(TimePoint now) {
  bool all = false;
  {
    const MutexLock lock(mutex_);
    all = std::exchange(woken_, false);
  }
  TimePoint next = kNever;
  for (Entry& entry : tasks_) {
    if (all || now >= entry.due) {
      {
        const MutexLock lock(mutex_);
        if (stopping_) return kNever;
      }
      entry.task(now);
      entry.due = now + entry.interval;
    }
    next = std::min(next, entry.due);
  }
  return next;
}

void Steward::run() {
  while (true) {
    const TimePoint next = run_due(Clock::now());
    const MutexLock lock(mutex_);
    while (!stopping_ && !woken_ && Clock::now() < next) changed_.wait_until(mutex_, next);
    if (stopping_) return;
  }
}

}  // namespace modelmill
