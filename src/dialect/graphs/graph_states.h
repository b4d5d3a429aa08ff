#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "dialect/graphs/graph_table.h"
#include "serve/inference.h"

namespace modelmill::graphs {

/// What lists of models and their descriptions call a graph.
inline constexpr std::string_view kGraphPlatform = "inference_graph";

/// How it is with a graph.
struct GraphState {
  std::string name;
  bool ready = false;
  /// Why it isn't, or what of its file is not taken; empty: nothing is wrong.
  std::string reason;
};

/// How it is with the graphs of a server, by what they lead to. Thread-safe; each call looks anew.
class GraphStates {
 public:
  /// Both outlive it.
  GraphStates(const GraphTable& graphs, const Inference& inference) : graphs_(graphs), inference_(inference) {}

  /// By name: those that are served, and those that were declared and are not taken.
  std::vector<GraphState> list() const;
  /// nullopt: there is no graph of that name.
  std::optional<GraphState> find(std::string_view name) const;

 private:
  GraphState state_of(const std::string& name, const ServedGraphPtr& graph, const std::string& refusal) const;
  Status availability_of(const InferenceGraph& graph) const;
  Status availability_of(const GraphStep& step) const;

  const GraphTable& graphs_;
  const Inference& inference_;
};

}  // namespace modelmill::graphs
