#include "runtime/offload.h"

#include <utility>

namespace modelmill {

Offload::Offload(int threads, size_t most_waiting) : most_waiting_(most_waiting), width_(static_cast<size_t>(threads)) {
  MutexLock lock(mutex_);
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

bool Offload::run(std::function<void()> task) {
  MutexLock lock(mutex_);
  if (stopped_ || tasks_.size() >= most_waiting_) return false;
  tasks_.push_back(std::move(task));
  changed_.notify_one();
  return true;
}

void Offload::widen() {
  MutexLock lock(mutex_);
  ++width_;
  if (stopped_) return;
  if (threads_.size() < width_) threads_.emplace_back([this] { work(); });
  changed_.notify_one();
}

void Offload::narrow() {
  MutexLock lock(mutex_);
  --width_;
}

void Offload::work() {
  while (true) {
    std::function<void()> task;
    {
      MutexLock lock(mutex_);
      while ((tasks_.empty() || running_ >= width_) && !(stopped_ && tasks_.empty())) changed_.wait(mutex_);
      if (tasks_.empty()) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
      ++running_;
    }
    task();
    task = nullptr;
    MutexLock lock(mutex_);
    --running_;  // it takes the next itself, so nobody who found too many at work need be told
    if (stopped_) changed_.notify_all();
  }
}

void Offload::stop() {
  std::vector<std::thread> threads;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    changed_.notify_all();
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace modelmill
