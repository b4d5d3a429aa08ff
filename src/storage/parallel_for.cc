#include "storage/parallel_for.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace modelmill {
namespace {

/// What the threads share.
class Work {
 public:
  Work(size_t count, const std::function<Status(size_t)>& work) : count_(count), work_(work) {}

  void run() {
    while (!failed_) {
      const size_t item = next_.fetch_add(1);
      if (item >= count_) return;
      Status status = work_(item);
      if (status.ok()) continue;
      MutexLock lock(mutex_);
      failed_ = true;
      if (outcome_.ok()) outcome_ = std::move(status);
    }
  }

  Status outcome() {
    MutexLock lock(mutex_);
    return outcome_;
  }

 private:
  const size_t count_;
  const std::function<Status(size_t)>& work_;
  std::atomic<size_t> next_{0};
  std::atomic<bool> failed_{false};
  Mutex mutex_;
  Status outcome_ MM_GUARDED_BY(mutex_);
};

}  // namespace

Status parallel_for(size_t count, size_t threads, const std::function<Status(size_t)>& work) {
  Work shared(count, work);
  std::vector<std::jthread> others;
  for (size_t i = 1; i < std::min(threads, count); ++i) others.emplace_back([&shared] { shared.run(); });
  shared.run();
  others.clear();
  return shared.outcome();
}

}  // namespace modelmill
