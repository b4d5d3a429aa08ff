#include "support/run_watch.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <thread>
#include <utility>
#include <vector>

namespace modelmill::backend {
namespace {

constexpr std::chrono::milliseconds kTick(5);
/// After so many looks at which nothing had run, the thread sleeps until something runs.
constexpr int kQuietLooks = 200;

/// The thread that looks at all instances.
class Watcher {
 public:
  static Watcher& of_plugin() {
    static Watcher watcher;
    return watcher;
  }

  ~Watcher() {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  void add(RunWatch* watch) {
    const std::lock_guard lock(mutex_);
    watched_.push_back(watch);
  }

  void remove(RunWatch* watch) {
    const std::lock_guard lock(mutex_);
    std::erase(watched_, watch);
  }

  /// A run has begun. It is seen by a thread that is awake: that one looks once more after it has said it sleeps.
  void begun() {
    if (!asleep_.load()) return;
    {
      const std::lock_guard lock(mutex_);
      asleep_ = false;
      if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    }
    wake_.notify_all();
  }

  bool is_asleep() const { return asleep_.load(); }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    for (int quiet = 0; !stop_;) {
      bool any = false;
      for (RunWatch* watch : watched_) any |= watch->look();
      if (any) asleep_ = false;
      quiet = any ? 0 : quiet + 1;
      if (quiet < kQuietLooks) {
        wake_.wait_for(lock, kTick, [this] { return stop_; });
      } else if (!asleep_) {
        asleep_ = true;
      } else {
        wake_.wait(lock, [this] { return stop_ || !asleep_; });
        quiet = 0;
      }
    }
  }

  std::mutex mutex_;  // before those of the watched
  std::condition_variable wake_;
  std::vector<RunWatch*> watched_;
  bool stop_ = false;
  std::atomic<bool> asleep_{true};  // written under the mutex
  std::thread thread_;
};

}  // namespace

RunWatch::RunWatch(std::function<void()> terminate) : terminate_(std::move(terminate)) {
  Watcher::of_plugin().add(this);
}

RunWatch::~RunWatch() { Watcher::of_plugin().remove(this); }

RunWatch::Run::Run(RunWatch& watch, const Execution& execution) : watch_(watch) {
  {
    const std::lock_guard lock(watch.mutex_);
    watch.running_ = &execution;
    watch.terminated_ = false;
    ++watch.runs_;
  }
  Watcher::of_plugin().begun();
}

bool RunWatch::Run::end() {
  const std::lock_guard lock(watch_.mutex_);
  watch_.running_ = nullptr;
  return watch_.terminated_;
}

bool RunWatch::is_asleep() { return Watcher::of_plugin().is_asleep(); }

bool RunWatch::look() {
  const std::lock_guard lock(mutex_);
  const bool same = std::exchange(seen_, runs_) == runs_;
  if (running_ == nullptr) return !same;
  if (same && std::all_of(running_->begin(), running_->end(), [](const Request& r) { return r.cancelled(); })) {
    terminated_ = true;
    terminate_();
  }
  return true;
}

void fail_unwanted(Execution& execution) {
  const int64_t now = now_ns();
  for (Request& request : execution) {
    if (request.info().deadline_ns <= now) {
      request.fail(MM_DEADLINE_EXCEEDED, "the deadline passed while the model ran");
    } else {
      request.fail(MM_CANCELLED, "the request was cancelled while the model ran");
    }
  }
}

}  // namespace modelmill::backend
