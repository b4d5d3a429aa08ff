#pragma once

#include <functional>
#include <list>
#include <memory>
#include <thread>

#include "base/mutex.h"
#include "lifecycle/owned_version.h"

namespace modelmill {

/// Where versions that nobody gets any more answer their last requests and go: each on a thread of its own, so that one
/// that takes long keeps none of the others. Thread-safe.
class Retirement {
 public:
  Retirement() = default;
  /// Waits for all.
  ~Retirement() { wait(); }
  Retirement(const Retirement&) = delete;
  Retirement& operator=(const Retirement&) = delete;

  /// `gone` runs when the version has been destroyed.
  void retire(std::unique_ptr<OwnedVersion> version, std::function<void()> gone);
  /// Returns when every version given so far has gone. Not on a thread of its own.
  void wait();

 private:
  struct Entry {
    std::thread thread;
    bool ended = false;
  };
  void join_ended();

  Mutex mutex_;
  CondVar changed_;
  std::list<Entry> entries_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
