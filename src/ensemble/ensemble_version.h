#pragma once

#include <memory>

#include "catalog/ensemble_plan.h"
#include "catalog/model_version.h"
#include "ensemble/ensemble_run.h"
#include "ensemble/members.h"

namespace modelmill {

/// A version whose requests become requests to other models. It has neither queue nor instances: each member queues
/// and batches what it is asked together with everybody else's requests.
class EnsembleVersion final : public ModelVersion {
 public:
  /// `members` outlives it. `weights` may be null: those of the plan count.
  EnsembleVersion(Description description, std::shared_ptr<VersionStats> stats,
                  std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members,
                  std::shared_ptr<CombinationWeights> weights = nullptr);

  void submit(InferRequestPtr request) override;
  /// UNAVAILABLE while a member can't be asked, or has other inputs or outputs than those it was held against; of a
  /// combination when so few are left that there is no quorum.
  Status availability() const override;
  ProcessHealth process_health() const override;
  void drop_unwanted() override;
  Explanation explain() const override;

 private:
  Status availability_of(const EnsemblePlan::Step& step) const;

  const std::shared_ptr<VersionStats> counters_;
  const std::shared_ptr<const EnsemblePlan> plan_;
  EnsembleMembers& members_;
  EnsembleWeights weights_;
};

}  // namespace modelmill
