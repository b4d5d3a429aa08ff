#include "lifecycle/repository_watcher.h"

#include <pthread.h>

#include <utility>

#include "base/log.h"

namespace modelmill {
namespace {

/// Between looks where the system tells of changes: for network file systems, which it doesn't see into.
constexpr Duration kSeldom = std::chrono::seconds(10);
/// What is written in pieces makes many events: the look comes when they have stopped for so long.
constexpr Duration kQuiet = std::chrono::milliseconds(50);

}  // namespace

RepositoryWatcher::RepositoryWatcher(const ControlSettings& control, Work work)
    : watches_(control.mode != ControlMode::kPoll),
      interval_(watches_ ? kSeldom : control.poll_interval),
      settle_(control.settle),
      work_(std::move(work)) {
  if (watches_) watch_folders();
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), "repository");
}

RepositoryWatcher::~RepositoryWatcher() {
  stopping_ = true;
  events_.wake();
  thread_.join();
}

void RepositoryWatcher::watch_folders() {
  const Status status = events_.watch(work_.folders());
  if (!status.ok() && !complained_)
    Log::warning("not all folders are watched; they are looked at every ten seconds", {{"reason", status.message()}});
  complained_ = !status.ok();
}

void RepositoryWatcher::wait(bool at_rest) {
  const bool changed = events_.wait_until(Clock::now() + (at_rest ? interval_ : settle_));
  while (changed && !stopping_ && events_.wait_until(Clock::now() + kQuiet)) {
  }
}

void RepositoryWatcher::run() {
  bool at_rest = true;
  while (true) {
    wait(at_rest);
    if (stopping_) return;
    at_rest = work_.look(Clock::now());
    if (watches_) watch_folders();
  }
}

}  // namespace modelmill
