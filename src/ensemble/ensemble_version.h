#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "cache/version_cache.h"
#include "catalog/ensemble_plan.h"
#include "catalog/model_version.h"
#include "ensemble/ensemble_run.h"
#include "ensemble/member_epoch.h"
#include "ensemble/members.h"

namespace modelmill {

/// A version whose requests become requests to other models. It has neither queue nor instances: each member queues
/// and batches what it is asked together with everybody else's requests.
class EnsembleVersion final : public ModelVersion {
 public:
  /// `members` outlives it. `weights` may be null: those of the plan count. `cache` too: every request is run. And
  /// `epoch`: what its answers depend on can't be told.
  EnsembleVersion(Description description, std::shared_ptr<VersionStats> stats,
                  std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                  std::shared_ptr<CombinationWeights> weights = nullptr, std::shared_ptr<VersionCache> cache = nullptr,
                  std::shared_ptr<MemberEpoch> epoch = nullptr);

  void submit(InferRequestPtr request) override;
  std::optional<uint64_t> answers_epoch() const override;
  /// UNAVAILABLE while a member can't be asked, or has other inputs or outputs than those it was held against; of a
  /// combination when so few are left that there is no quorum.
  Status availability() const override;
  /// The sum of its members' failures, of each once; one that can't be pinned has as many as when it last could.
  ProcessHealth process_health() const override;
  void drop_unwanted() override;
  Explanation explain() const override;

 private:
  void run(InferRequestPtr request);
  Status availability_of(const EnsemblePlan::Step& step) const;

  const std::shared_ptr<VersionStats> counters_;
  const std::shared_ptr<const EnsemblePlan> plan_;
  EnsembleMembers& members_;
  EnsembleWeights weights_;
  const std::shared_ptr<VersionCache> cache_;
  const std::shared_ptr<MemberEpoch> epoch_;
  mutable Mutex mutex_;
  mutable std::vector<uint64_t> failures_ MM_GUARDED_BY(mutex_);  // by step, as process_health() found them last
};

}  // namespace modelmill
