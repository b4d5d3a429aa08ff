#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "request/infer_request.h"

namespace modelmill {

/// Requests for models that load on demand wait here for their model, bounded in number, in bytes of what they hold and
/// in time. The data plane puts them in; the control plane loads what they wait for and lets them go. Thread-safe.
class Demand {
 public:
  /// A request that waits for its model, whatever it is made of.
  struct Waiter {
    std::string model;
    TimePoint deadline = kNever;
    std::shared_ptr<CancelToken> cancel;  // null: it can't be cancelled
    uint64_t bytes = 0;                   // that it holds meanwhile
    /// Called once: try again when the status is OK, and be refused with it otherwise. On any thread; must not block.
    std::function<void(const Status&)> resume;
  };

  struct Limits {
    size_t requests = 4'096;
    uint64_t bytes = uint64_t{1} << 30;
    Duration time = std::chrono::seconds(60);
  };

  explicit Demand(Limits limits) : limits_(limits) {}
  Demand() : Demand(Limits{}) {}

  /// Who is told, on the requests' threads, that a model is wanted; before the first request. Quick, and calls nobody.
  void on_wanted(std::function<void(const std::string& model)> wanted) { wanted_ = std::move(wanted); }

  /// Whether any model loads on demand, as the control plane says before the first request: requests ask this first.
  void use(bool used) { used_ = used; }
  bool in_use() const { return used_.load(std::memory_order_relaxed); }

  /// Takes one in. One that can't wait is resumed with the reason at once.
  void wait(Waiter waiter, TimePoint now);

  /// The model can be had now, or can't: its requests are resumed on this thread.
  void settle(const std::string& model, const Status& status);
  /// Lets go what has waited too long, whose deadline is over or whose client has gone. Regularly, and when a client
  /// goes.
  void expire(TimePoint now);

  size_t waiting() const;

 private:
  struct Entry {
    Waiter waiter;
    TimePoint until;
  };

  const Limits limits_;
  std::atomic<bool> used_{false};
  std::function<void(const std::string&)> wanted_;
  mutable Mutex mutex_;
  std::map<std::string, std::deque<Entry>, std::less<>> models_ MM_GUARDED_BY(mutex_);
  size_t requests_ MM_GUARDED_BY(mutex_) = 0;
  uint64_t bytes_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill
