#pragma once

#include <memory>
#include <unordered_map>

#include "base/mutex.h"

namespace modelmill::wire {

class HealthWatch;
class Loop;

/// The Watch calls of grpc.health.v1.Health that are open. Thread-safe; the loops must not have ended.
class HealthWatches {
 public:
  /// What they watch has changed: each looks now rather than when it would by itself.
  void look_again();
  /// The server is stopping. Each looks once more and ends, and so do those that come: a call without an end of its own
  /// would hold the stop up.
  void end();

  // For the calls.
  void add(HealthWatch& watch);
  void remove(HealthWatch& watch);
  bool ended() const;

 private:
  struct Entry {
    Loop* loop;
    std::weak_ptr<HealthWatch> watch;
  };
  void tell_all() MM_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::unordered_map<HealthWatch*, Entry> watches_ MM_GUARDED_BY(mutex_);
  bool ended_ MM_GUARDED_BY(mutex_) = false;
};

}  // namespace modelmill::wire
