#pragma once

#include <optional>
#include <vector>

#include "model/config_problem.h"
#include "model/graph/inference_graph.h"

namespace modelmill {

/// What is wrong where nodes lead to each other in a circle, and where more nodes lie inside of nodes, or a request
/// takes more steps, than are taken.
std::optional<ConfigProblem> check_graph_size(const InferenceGraph& graph);

/// A graph that is wrong beside others.
struct GraphProblem {
  std::string graph;
  ConfigProblem problem;
};

/// The same of graphs that lead to each other, whose targets are chosen: circles, which are named, and what is too deep
/// or too much altogether.
std::vector<GraphProblem> check_graphs_together(const std::vector<InferenceGraph>& graphs);

}  // namespace modelmill
