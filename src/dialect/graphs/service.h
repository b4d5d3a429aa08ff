#pragma once

#include "dialect/graphs/call.h"
#include "dialect/graphs/graph_table.h"
#include "dialect/http_router.h"

namespace modelmill::graphs {

/// Adds /graphs, and puts graphs before what else answers by their names: V1 and V2 paths of inference and readiness,
/// and POST / with a Host that begins with a graph's name. `graphs` must outlive the wire.
void add_to(HttpRouter& router, const GraphTable& graphs, Context context);

}  // namespace modelmill::graphs
