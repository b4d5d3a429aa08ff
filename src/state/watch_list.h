#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "state/store.h"

namespace modelmill {

/// Who wants to know of which keys. Callbacks run on the thread that tells, one at a time, without a lock. Thread-safe;
/// one thread tells.
class WatchList {
 public:
  /// The watch must end before the list.
  std::unique_ptr<StoreWatch> add(const std::string& prefix, StateStore::Changed changed);

  /// The key has changed.
  void tell(const std::string& key);
  /// Any key may have changed: each callback gets its prefix.
  void tell_all();

 private:
  struct Entry {
    std::string prefix;
    StateStore::Changed changed;
  };
  class Watch;

  template <typename Choose>
  void call(Choose choose);
  void end(uint64_t id);

  Mutex mutex_;
  CondVar returned_;
  uint64_t next_id_ MM_GUARDED_BY(mutex_) = 1;
  std::map<uint64_t, std::shared_ptr<const Entry>> entries_ MM_GUARDED_BY(mutex_);
  uint64_t running_ MM_GUARDED_BY(mutex_) = 0;  // the entry whose callback runs
  std::thread::id teller_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
