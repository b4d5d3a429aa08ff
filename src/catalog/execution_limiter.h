#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "catalog/execution_order.h"

namespace modelmill {

class ExecutionClaim;

/// The server's resources, of which executions take what their instances need before they begin. Models that need none
/// have nothing to do with it. It is a shared_ptr's, and lives as long as any claim. Thread-safe; no lock is taken
/// under its own.
class ExecutionLimiter : public std::enable_shared_from_this<ExecutionLimiter> {
 public:
  explicit ExecutionLimiter(std::vector<DeclaredResource> declared) : declared_(std::move(declared)) {}
  ExecutionLimiter(const ExecutionLimiter&) = delete;
  ExecutionLimiter& operator=(const ExecutionLimiter&) = delete;

  /// Instances on `device` will take these. Null: they need nothing. An error where they could never run. As long as
  /// the claim lives there is enough for them.
  Result<std::shared_ptr<ExecutionClaim>> claim(const std::vector<ResourceNeed>& needs, uint32_t priority, int device);

  /// How much of it is taken at the moment.
  int64_t taken(const ResourceKey& key) const;

 private:
  friend class ExecutionClaim;
  friend class ExecutionTicket;

  Status update_limits() MM_REQUIRES(mutex_);
  void grant() MM_REQUIRES(mutex_);

  const std::vector<DeclaredResource> declared_;
  mutable Mutex mutex_;
  std::multiset<const ResourceCounts*> claims_ MM_GUARDED_BY(mutex_);
  ExecutionOrder order_ MM_GUARDED_BY(mutex_);
};

/// What the instances of one group on one device need. Immutable.
class ExecutionClaim {
 public:
  ExecutionClaim(std::shared_ptr<ExecutionLimiter> limiter, ResourceCounts needs, uint32_t priority)
      : limiter_(std::move(limiter)), needs_(std::move(needs)), priority_(priority) {}
  ~ExecutionClaim();
  ExecutionClaim(const ExecutionClaim&) = delete;
  ExecutionClaim& operator=(const ExecutionClaim&) = delete;

  const ResourceCounts& needs() const { return needs_; }

 private:
  friend class ExecutionLimiter;
  friend class ExecutionTicket;

  const std::shared_ptr<ExecutionLimiter> limiter_;
  const ResourceCounts needs_;
  const uint32_t priority_;
  bool counted_ = false;
};

/// What one who runs once at a time waits with, and holds what it was given by.
class ExecutionTicket {
 public:
  explicit ExecutionTicket(std::shared_ptr<ExecutionClaim> claim);
  ~ExecutionTicket() { give_back(false); }
  ExecutionTicket(const ExecutionTicket&) = delete;
  ExecutionTicket& operator=(const ExecutionTicket&) = delete;

  /// Takes what is needed if it can be had at once, and nobody comes first. True also if it is held already.
  bool try_take();
  /// Waits until it is held, or for interrupt(). True: it is held.
  bool wait();
  /// Ends the wait there is, or else the next one. Any thread.
  void interrupt();
  /// Nothing is held any more. `ran`: something was executed meanwhile. Any thread.
  void give_back(bool ran);

 private:
  friend class ExecutionLimiter;

  const std::shared_ptr<ExecutionClaim> claim_;
  CondVar granted_;
  // Guarded by the limiter's mutex.
  struct Runner : ExecutionOrder::Runner {
    ExecutionTicket* ticket = nullptr;
  };
  Runner runner_;
  bool interrupted_ = false;
};

}  // namespace modelmill
