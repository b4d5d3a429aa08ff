#include "lifecycle/retirement.h"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace modelmill {

void Retirement::join_ended() {
  std::list<Entry> ended;
  {
    const MutexLock lock(mutex_);
    for (auto it = entries_.begin(); it != entries_.end();) {
      const auto next = std::next(it);
      if (it->ended) ended.splice(ended.end(), entries_, it);
      it = next;
    }
  }
  for (Entry& entry : ended) entry.thread.join();
}

void Retirement::retire(std::unique_ptr<OwnedVersion> version, std::function<void()> gone) {
  join_ended();
  const MutexLock lock(mutex_);
  Entry& entry = entries_.emplace_back();
  entry.thread = std::thread([this, &entry, version = std::move(version), gone = std::move(gone)]() mutable {
    version.reset();
    if (gone) gone();
    gone = nullptr;
    const MutexLock own_lock(mutex_);
    entry.ended = true;
    changed_.notify_all();
  });
  pthread_setname_np(entry.thread.native_handle(), "retire");
}

void Retirement::wait() {
  {
    const MutexLock lock(mutex_);
    while (!std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) { return entry.ended; }))
      changed_.wait(mutex_);
  }
  join_ended();
}

}  // namespace modelmill
