#pragma once

#include <span>

#include "dialect/admin/action.h"

namespace modelmill::admin {

/// What is done under /admin/routes: the routes and who changed each last; of one, also its changes, its shadows with
/// their worst answers, and its changing.
std::span<const Action> route_actions();

}  // namespace modelmill::admin
