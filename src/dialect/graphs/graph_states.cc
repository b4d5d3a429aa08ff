#include "dialect/graphs/graph_states.h"

#include <map>
#include <utility>

namespace modelmill::graphs {

std::vector<GraphState> GraphStates::list() const {
  std::map<std::string, std::pair<ServedGraphPtr, std::string>> all;  // and why one is not taken
  for (const ServedGraphPtr& graph : graphs_.list()) all[graph->graph().name].first = graph;
  for (const auto& [name, reason] : graphs_.refusals()) all[name].second = reason;
  std::vector<GraphState> out;
  for (const auto& [name, one] : all) out.push_back(state_of(name, one.first, one.second));
  return out;
}

std::optional<GraphState> GraphStates::find(std::string_view name) const {
  const ServedGraphPtr graph = graphs_.find(name);
  const auto refusals = graphs_.refusals();
  const auto refused = refusals.find(std::string(name));
  if (!graph && refused == refusals.end()) return std::nullopt;
  return state_of(std::string(name), graph, refused == refusals.end() ? std::string() : refused->second);
}

GraphState GraphStates::state_of(const std::string& name, const ServedGraphPtr& graph,
                                 const std::string& refusal) const {
  if (!graph) return {name, false, refusal};
  const Status available = availability_of(graph->graph());
  GraphState out{name, available.ok(), available.message()};
  if (!refusal.empty()) out.reason += (out.reason.empty() ? "" : "; ") + ("a change of it is not taken: " + refusal);
  return out;
}

/// Graphs that lead to each other come to an end.
Status GraphStates::availability_of(const InferenceGraph& graph) const {
  for (const GraphNode& node : graph.nodes)
    for (const GraphStep& step : node.steps)
      if (!step.node) MM_RETURN_IF_ERROR(availability_of(step));
  return ok_status();
}

Status GraphStates::availability_of(const GraphStep& step) const {
  const std::string& service = step.services.front();
  if (step.graph) {
    const ServedGraphPtr graph = graphs_.find(service);
    if (!graph) return unavailable("it leads to graph '" + service + "', which is not served");
    const Status status = availability_of(graph->graph());
    return status.ok() ? status : unavailable("it leads to graph '" + service + "': " + status.message());
  }
  RouteTarget target{service, 0, {}};
  if (const auto route = inference_.find_route(service)) target = route->main_arm().to;
  const Result<VersionPin> pin = inference_.catalog().pin(target.model, target.version, target.label);
  if (!pin.ok() && inference_.loads_on_demand(target.model)) return ok_status();
  const Status status = pin.ok() ? (*pin)->availability() : pin.status();
  return status.ok() ? status : unavailable("it leads to '" + service + "': " + status.message());
}

}  // namespace modelmill::graphs
