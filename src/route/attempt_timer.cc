#include "route/attempt_timer.h"

#include <utility>

namespace modelmill {

AttemptTimer::~AttemptTimer() {
  std::thread thread;
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.notify_all();
  if (thread.joinable()) thread.join();
}

void AttemptTimer::call_at(TimePoint when, std::function<void()> call) {
  const MutexLock lock(mutex_);
  if (stopping_) return;
  const bool first = entries_.empty() || when < entries_.top().when;
  entries_.push({when, std::move(call)});
  if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
  if (first) changed_.notify_one();
}

void AttemptTimer::work() {
  while (true) {
    std::function<void()> call;
    {
      const MutexLock lock(mutex_);
      while (!stopping_ && (entries_.empty() || entries_.top().when > Clock::now())) {
        if (entries_.empty())
          changed_.wait(mutex_);
        else
          changed_.wait_until(mutex_, TimePoint(entries_.top().when));
      }
      if (stopping_) return;
      call = std::move(const_cast<Entry&>(entries_.top()).call);  // it leaves the queue at once
      entries_.pop();
    }
    call();
  }
}

}  // namespace modelmill
