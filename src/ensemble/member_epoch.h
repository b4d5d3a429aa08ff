#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "cache/version_cache.h"
#include "catalog/ensemble_plan.h"
#include "ensemble/members.h"

namespace modelmill {

/// Numbers what an ensemble's answers depend on besides their requests: the versions that answer for its members, and
/// where those are ensembles, for theirs. Other models may come and go without it. Thread-safe.
class MemberEpoch {
 public:
  /// `weighted`: its members have weights, which may change. `members` outlives it.
  MemberEpoch(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members, bool weighted);

  /// Its answers depend on versions alone, neither on weights nor on who answers in time.
  bool steady() const { return steady_; }
  AnswerGround now();

 private:
  /// The versions that its steps ask now, each with its own epoch; nullopt: one of them can't tell.
  std::optional<std::vector<uint64_t>> look() const;

  const std::shared_ptr<const EnsemblePlan> plan_;
  EnsembleMembers& members_;
  const bool steady_;
  Mutex mutex_;
  uint64_t looked_at_ MM_GUARDED_BY(mutex_) = UINT64_MAX;  // the members' changes() at the last look
  uint64_t epoch_ MM_GUARDED_BY(mutex_) = 0;
  std::optional<std::vector<uint64_t>> seen_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
