#pragma once

#include "base/status.h"
#include "catalog/catalog.h"
#include "rollout/rollout_document.h"

namespace modelmill {

/// OK when the memory that the rollout's gates limit is one that can be known: that of processes which run a version.
/// FAILED_PRECONDITION names the gate, the version that runs within the server, and what to do. What isn't loaded yet
/// is not judged.
Status check_memory_gates(const Rollout& rollout, const Catalog& catalog);

}  // namespace modelmill
