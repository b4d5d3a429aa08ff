#pragma once

#include <span>

#include "dialect/admin/action.h"

namespace modelmill::admin {

/// What is done under /admin/experiments: the last experiment of every name; of one, how it stands, its start, what
/// users did, and its end.
std::span<const Action> experiment_actions();

}  // namespace modelmill::admin
