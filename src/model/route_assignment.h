#pragma once

#include <cstdint>

#include "model/route_definition.h"

namespace modelmill {

/// A number for all that decides which arm of a route's split a key gets: targets, percents, sticky key and salt. Never
/// 0.
uint64_t assignment_hash(const RouteDefinition& route);

}  // namespace modelmill
