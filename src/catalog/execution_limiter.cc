#include "catalog/execution_limiter.h"

#include <algorithm>
#include <utility>

namespace modelmill {

Result<std::shared_ptr<ExecutionClaim>> ExecutionLimiter::claim(const std::vector<ResourceNeed>& needs,
                                                                uint32_t priority, int device) {
  auto claim =
      std::make_shared<ExecutionClaim>(shared_from_this(), counts_of(needs, device), std::max<uint32_t>(priority, 1));
  if (claim->needs_.empty()) return std::shared_ptr<ExecutionClaim>();
  const MutexLock lock(mutex_);
  const auto at = claims_.insert(&claim->needs_);
  if (Status status = update_limits(); !status.ok()) {
    claims_.erase(at);
    return status;
  }
  claim->counted_ = true;
  grant();
  return claim;
}

Status ExecutionLimiter::update_limits() {
  const std::vector<const ResourceCounts*> needs(claims_.begin(), claims_.end());
  MM_ASSIGN_OR_RETURN(ResourceCounts limits, resource_limits(needs, declared_));
  order_.set_limits(std::move(limits));
  return ok_status();
}

void ExecutionLimiter::grant() {
  for (ExecutionOrder::Runner* runner : order_.grant())
    static_cast<ExecutionTicket::Runner*>(runner)->ticket->granted_.notify_one();
}

int64_t ExecutionLimiter::taken(const ResourceKey& key) const {
  const MutexLock lock(mutex_);
  return order_.taken(key);
}

ExecutionClaim::~ExecutionClaim() {
  const MutexLock lock(limiter_->mutex_);
  if (!counted_) return;
  limiter_->claims_.erase(limiter_->claims_.find(&needs_));
  // What was enough for all is enough for those that are left.
  (void)limiter_->update_limits();
}

ExecutionTicket::ExecutionTicket(std::shared_ptr<ExecutionClaim> claim) : claim_(std::move(claim)) {
  runner_.needs = &claim_->needs_;
  runner_.priority = claim_->priority_;
  runner_.ticket = this;
}

bool ExecutionTicket::try_take() {
  ExecutionLimiter& limiter = *claim_->limiter_;
  const MutexLock lock(limiter.mutex_);
  if (runner_.holds) return true;
  limiter.order_.wait(runner_);
  limiter.grant();
  // Unless it was given to it, it has not waited.
  limiter.order_.leave(runner_);
  return runner_.holds;
}

bool ExecutionTicket::wait() {
  ExecutionLimiter& limiter = *claim_->limiter_;
  const MutexLock lock(limiter.mutex_);
  if (!runner_.holds && !interrupted_) {
    limiter.order_.wait(runner_);
    limiter.grant();
    while (!runner_.holds && !interrupted_) granted_.wait(limiter.mutex_);
    if (!runner_.holds) {
      limiter.order_.leave(runner_);
      // Others may have stood behind it.
      limiter.grant();
    }
  }
  interrupted_ = false;
  return runner_.holds;
}

void ExecutionTicket::interrupt() {
  const MutexLock lock(claim_->limiter_->mutex_);
  interrupted_ = true;
  granted_.notify_one();
}

void ExecutionTicket::give_back(bool ran) {
  ExecutionLimiter& limiter = *claim_->limiter_;
  const MutexLock lock(limiter.mutex_);
  if (!runner_.holds) return;
  limiter.order_.give_back(runner_, ran);
  limiter.grant();
}

}  // namespace modelmill
