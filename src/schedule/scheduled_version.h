#pragma once

#include <memory>
#include <vector>

#include "base/clock.h"
#include "cache/version_cache.h"
#include "catalog/version_factory.h"

namespace modelmill {

/// Makes a version that queues, batches and runs its requests on these instances (at least one). The version owns the
/// model and instances; its destructor waits for what runs, and fails what is still queued with UNAVAILABLE.
/// What `cache` knows, its requests are answered with; null: nothing. A VersionFactory, when the last two are bound.
std::shared_ptr<ModelVersion> make_scheduled_version(ModelVersion::Description description,
                                                     std::shared_ptr<VersionStats> stats, VersionPlan plan,
                                                     std::unique_ptr<BackendModel> model,
                                                     std::vector<std::unique_ptr<BackendInstance>> instances,
                                                     TimeSource& time = TimeSource::steady(),
                                                     std::shared_ptr<VersionCache> cache = nullptr);

}  // namespace modelmill
