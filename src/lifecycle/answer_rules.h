#pragma once

#include "backend/backend_model.h"
#include "base/status.h"
#include "model/cache_rule.h"
#include "model/definition.h"

namespace modelmill {

/// INVALID_ARGUMENT when the model's answers are to be kept and that can't be.
Status check_cache(const ModelDefinition& definition, const CacheObstacles& obstacles);

/// How many answers a request has: as the configuration says, held against the backend's word, which counts where it
/// says nothing; and whether they can be kept, where that is wanted. INVALID_ARGUMENT when they don't agree.
Status settle_answers(ModelDefinition& definition, const BackendModelInfo& info);

}  // namespace modelmill
