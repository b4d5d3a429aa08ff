#pragma once

#include "base/status.h"
#include "catalog/model_table.h"
#include "model/route_definition.h"

namespace modelmill {

/// OK when every model, version and label that the route leads to is known. INVALID_ARGUMENT names the first that is
/// not, and what there is.
Status check_targets(const RouteDefinition& route, const ModelTable& models);

}  // namespace modelmill
