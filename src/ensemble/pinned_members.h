#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "ensemble/members.h"

namespace modelmill {

/// The members of one request that asks them again and again: each is pinned once, so that one which is swapped
/// meanwhile serves the request to its end as it was. Thread-safe.
class PinnedMembers final : public EnsembleMembers {
 public:
  explicit PinnedMembers(EnsembleMembers& members) : members_(members) {}

  /// What can't be pinned is told when it is asked for.
  void pin_all(const EnsemblePlan& plan) {
    const MutexLock lock(mutex_);
    for (const EnsemblePlan::Step& step : plan.steps)
      if (find(step) == nullptr) pins_.push_back({step.model, step.version, step.label, members_.pin(step)});
  }
  /// Nothing is asked any more.
  void release() {
    std::vector<Pinned> gone;
    const MutexLock lock(mutex_);
    gone.swap(pins_);
  }

  Result<VersionPin> pin(const EnsemblePlan::Step& step) override {
    const MutexLock lock(mutex_);
    const Pinned* const pinned = find(step);
    if (pinned == nullptr) return cancelled("the request has come to its end");
    if (!pinned->pin.ok()) return pinned->pin.status();
    return pinned->pin->again();
  }
  void submit(VersionPin pin, InferRequestPtr request) override { members_.submit(std::move(pin), std::move(request)); }
  void drop_unwanted(const EnsemblePlan::Step& step) override { members_.drop_unwanted(step); }
  uint64_t changes() const override { return members_.changes(); }
  void call_at(TimePoint when, std::function<void()> call) override { members_.call_at(when, std::move(call)); }

 private:
  struct Pinned {
    std::string model;
    int64_t version;
    std::string label;
    Result<VersionPin> pin;
  };

  const Pinned* find(const EnsemblePlan::Step& step) const MM_REQUIRES(mutex_) {
    for (const Pinned& pinned : pins_)
      if (pinned.model == step.model && pinned.version == step.version && pinned.label == step.label) return &pinned;
    return nullptr;
  }

  EnsembleMembers& members_;
  Mutex mutex_;
  std::vector<Pinned> pins_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
