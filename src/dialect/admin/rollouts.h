#pragma once

#include <span>

#include "dialect/admin/action.h"

namespace modelmill::admin {

/// What is done under /admin/rollouts: the last rollout of every name; of one, how it stands, its decisions, its start
/// and what is done to it by hand.
std::span<const Action> rollout_actions();

}  // namespace modelmill::admin
