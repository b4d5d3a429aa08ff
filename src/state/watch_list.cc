#include "state/watch_list.h"

#include <optional>
#include <utility>

namespace modelmill {

class WatchList::Watch final : public StoreWatch {
 public:
  Watch(WatchList& list, uint64_t id) : list_(list), id_(id) {}
  ~Watch() override { list_.end(id_); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  WatchList& list_;
  const uint64_t id_;
};

std::unique_ptr<StoreWatch> WatchList::add(const std::string& prefix, StateStore::Changed changed) {
  MutexLock lock(mutex_);
  const uint64_t id = next_id_++;
  entries_[id] = std::make_shared<const Entry>(Entry{prefix, std::move(changed)});
  return std::make_unique<Watch>(*this, id);
}

template <typename Choose>
void WatchList::call(Choose choose) {
  uint64_t last = 0;
  while (true) {
    std::shared_ptr<const Entry> entry;
    {
      MutexLock lock(mutex_);
      const auto next = entries_.upper_bound(last);
      if (next == entries_.end()) return;
      last = running_ = next->first;
      teller_ = std::this_thread::get_id();
      entry = next->second;
    }
    if (const std::optional<std::string> key = choose(*entry)) entry->changed(*key);
    MutexLock lock(mutex_);
    running_ = 0;
    returned_.notify_all();
  }
}

void WatchList::tell(const std::string& key) {
  call([&](const Entry& entry) { return key.starts_with(entry.prefix) ? std::optional(key) : std::nullopt; });
}

void WatchList::tell_all() {
  call([](const Entry& entry) { return std::optional(entry.prefix); });
}

void WatchList::end(uint64_t id) {
  MutexLock lock(mutex_);
  entries_.erase(id);
  while (running_ == id && teller_ != std::this_thread::get_id()) returned_.wait(mutex_);
}

}  // namespace modelmill
