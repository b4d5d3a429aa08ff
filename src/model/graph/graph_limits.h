#pragma once

#include <optional>

#include "model/config_problem.h"
#include "model/graph/inference_graph.h"

namespace modelmill {

/// What is wrong where nodes lead to each other in a circle, and where more nodes lie inside of nodes, or a request
/// takes more steps, than are taken.
std::optional<ConfigProblem> check_graph_size(const InferenceGraph& graph);

}  // namespace modelmill
