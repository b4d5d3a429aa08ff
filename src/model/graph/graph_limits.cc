#include "model/graph/graph_limits.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

constexpr size_t kDeepest = 32;
constexpr size_t kMostSteps = 1024;

/// Follows each node once.
class Sizes {
 public:
  explicit Sizes(const InferenceGraph& graph) : graph_(graph), seen_(graph.nodes.size()) {}

  std::optional<ConfigProblem> follow(size_t index, const std::string& place) {
    Seen& seen = seen_[index];
    const GraphNode& node = graph_.nodes[index];
    if (seen.state == State::kInside)
      return wrong(place,
                   "graph '" + graph_.name + "': node '" + node.name + "' leads to itself; steps must come to an end");
    if (seen.state == State::kKnown) return std::nullopt;
    // Followed by recursion, so this is held before the depth that is counted below is known.
    if (++inside_ > kDeepest) return too_deep(node);
    seen.state = State::kInside;
    seen.depth = 1;
    for (const GraphStep& step : node.steps) {
      ++seen.steps;
      if (!step.node) continue;
      if (auto problem = follow(*step.node, step.place)) return problem;
      seen.depth = std::max(seen.depth, seen_[*step.node].depth + 1);
      seen.steps = std::min(seen.steps + seen_[*step.node].steps, kMostSteps + 1);
    }
    --inside_;
    if (seen.depth > kDeepest) return too_deep(node);
    if (seen.steps > kMostSteps)
      return wrong(node.place, "graph '" + graph_.name + "': node '" + node.name + "' may take more than " +
                                   std::to_string(kMostSteps) +
                                   " steps for one request; have fewer nodes inside of nodes");
    seen.state = State::kKnown;
    return std::nullopt;
  }

 private:
  enum class State : uint8_t { kNew, kInside, kKnown };
  struct Seen {
    State state = State::kNew;
    size_t depth = 0;
    size_t steps = 0;
  };

  static std::optional<ConfigProblem> wrong(const std::string& place, std::string message) {
    return ConfigProblem{Code::kInvalidArgument, place, std::move(message)};
  }

  std::optional<ConfigProblem> too_deep(const GraphNode& node) const {
    return wrong(node.place, "graph '" + graph_.name + "': more than " + std::to_string(kDeepest) +
                                 " nodes lie inside of each other at node '" + node.name + "'; have fewer");
  }

  const InferenceGraph& graph_;
  std::vector<Seen> seen_;
  size_t inside_ = 0;
};

}  // namespace

std::optional<ConfigProblem> check_graph_size(const InferenceGraph& graph) {
  Sizes sizes(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (auto problem = sizes.follow(i, graph.nodes[i].place)) return problem;
  return std::nullopt;
}

}  // namespace modelmill
