#pragma once

#include "base/json_text.h"
#include "route/route.h"

namespace modelmill::admin {

/// Writes the list of a route's shadows and how they do; with `examples` also their worst answers.
void write_shadows(JsonWriter& json, const Route& route, bool examples);

}  // namespace modelmill::admin
