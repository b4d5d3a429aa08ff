#include "model/graph/inference_graph.h"

#include <algorithm>

namespace modelmill {

std::string_view router_name(GraphRouter router) {
  switch (router) {
    case GraphRouter::kSequence: return "Sequence";
    case GraphRouter::kSplitter: return "Splitter";
    case GraphRouter::kEnsemble: return "Ensemble";
    case GraphRouter::kSwitch: return "Switch";
  }
  return {};
}

std::string answer_key(const GraphStep& step, size_t index) {
  return step.name.empty() ? std::to_string(index) : step.name;
}

std::vector<ConfigProblem> resolve_targets(InferenceGraph& graph,
                                           const std::function<GraphTarget(const std::string& name)>& target_of) {
  std::vector<ConfigProblem> problems;
  for (GraphNode& node : graph.nodes)
    for (GraphStep& step : node.steps) {
      if (step.node) continue;
      const auto found = std::find_if(step.services.begin(), step.services.end(),
                                      [&](const std::string& name) { return target_of(name) != GraphTarget::kNone; });
      if (found == step.services.end()) {
        problems.push_back({Code::kNotFound, step.place,
                            "graph '" + graph.name + "' leads to '" + step.target +
                                "', but there is no model, route, ensemble or graph named '" + step.services.front() +
                                "'; add it, or correct the step (steps run in this server, no other one is called)"});
        continue;
      }
      step.graph = target_of(*found) == GraphTarget::kGraph;
      step.services = {*found};
    }
  return problems;
}

}  // namespace modelmill
