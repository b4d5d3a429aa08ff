#pragma once

#include <span>

#include "dialect/admin/action.h"

namespace modelmill::admin {

/// What is done under /admin/ensembles: the combinations whose members have weights; of one, how they are, what would
/// have been right for requests, and what they are set to.
std::span<const Action> ensemble_actions();

}  // namespace modelmill::admin
