#pragma once

#include <optional>

#include "base/status.h"
#include "model/route_definition.h"

namespace modelmill {

/// What an answer's error means for the arm that gave it; nullopt: nothing, because the client went away or asked for
/// what no arm could answer.
std::optional<RouteFailure> failure_of(const Status& status);

}  // namespace modelmill
