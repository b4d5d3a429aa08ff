#include "schedule/scheduled_version.h"

#include "schedule/version_scheduler.h"

namespace modelmill {

std::shared_ptr<ModelVersion> make_scheduled_version(ModelVersion::Description description,
                                                     std::shared_ptr<VersionStats> stats, VersionPlan plan,
                                                     std::unique_ptr<BackendModel> model,
                                                     std::vector<std::unique_ptr<BackendInstance>> instances,
                                                     TimeSource& time, std::shared_ptr<VersionCache> cache) {
  return std::make_shared<VersionScheduler>(std::move(description), std::move(stats), std::move(plan), std::move(model),
                                            std::move(instances), time, std::move(cache));
}

}  // namespace modelmill
