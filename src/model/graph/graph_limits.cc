#include "model/graph/graph_limits.h"

#include <algorithm>
#include <map>
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

/// Follows each graph once, after those that it leads to.
class Together {
 public:
  explicit Together(const std::vector<InferenceGraph>& graphs) : graphs_(graphs), seen_(graphs.size()) {
    for (size_t i = 0; i < graphs.size(); ++i) numbers_.emplace(graphs[i].name, i);
  }

  std::vector<GraphProblem> run() {
    for (size_t i = 0; i < graphs_.size(); ++i) (void)follow(i, graphs_[i].place);
    return std::move(problems_);
  }

 private:
  enum class State : uint8_t { kNew, kInside, kKnown, kWrong };
  struct Size {
    size_t depth = 0;
    size_t steps = 0;
  };
  struct Seen {
    State state = State::kNew;
    Size size;
  };

  /// nullopt: something is wrong with it, or with one that it leads to, and has been told.
  std::optional<Size> follow(size_t index, const std::string& place) {
    Seen& seen = seen_[index];
    if (seen.state == State::kInside) return circle(index, place);
    if (seen.state == State::kKnown) return seen.size;
    if (seen.state == State::kWrong) return std::nullopt;
    const InferenceGraph& graph = graphs_[index];
    // Followed by recursion, so this is held before the depth that is counted below is known.
    if (path_.size() >= kDeepest) return wrong(index, graph.place, too_deep(graph));
    seen.state = State::kInside;
    path_.push_back(index);
    std::vector<std::optional<Size>> nodes(graph.nodes.size());
    std::optional<Size> size = measure(graph, graph.root, nodes);
    for (size_t node = 0; size && node < graph.nodes.size(); ++node)
      if (!measure(graph, node, nodes)) size.reset();
    path_.pop_back();
    if (seen.state == State::kWrong) return std::nullopt;
    seen.state = size ? State::kKnown : State::kWrong;
    if (!size) return std::nullopt;
    seen.size = *size;
    if (size->depth > kDeepest) return wrong(index, graph.place, too_deep(graph));
    if (size->steps > kMostSteps)
      return wrong(index, graph.place,
                   "graph '" + graph.name + "' may take more than " + std::to_string(kMostSteps) +
                       " steps for one request, with those of the graphs that it leads to; have fewer");
    return seen.size;
  }

  /// Nodes of one graph come to an end.
  std::optional<Size> measure(const InferenceGraph& graph, size_t node, std::vector<std::optional<Size>>& nodes) {
    if (nodes[node]) return nodes[node];
    Size size{1, 0};
    for (const GraphStep& step : graph.nodes[node].steps) {
      ++size.steps;
      std::optional<Size> inside = Size{};
      if (step.node) {
        inside = measure(graph, *step.node, nodes);
      } else if (step.graph) {
        const auto found = numbers_.find(step.services.front());
        if (found != numbers_.end()) inside = follow(found->second, step.place);
      }
      if (!inside) return std::nullopt;
      size.depth = std::max(size.depth, inside->depth + 1);
      size.steps = std::min(size.steps + inside->steps, kMostSteps + 1);
    }
    nodes[node] = size;
    return size;
  }

  std::nullopt_t circle(size_t index, const std::string& place) {
    std::string names;
    const auto first = std::find(path_.begin(), path_.end(), index);
    for (auto at = first; at != path_.end(); ++at) {
      names += "'" + graphs_[*at].name + "' -> ";
      seen_[*at].state = State::kWrong;
    }
    names += "'" + graphs_[index].name + "'";
    for (auto at = first; at != path_.end(); ++at)
      problems_.push_back({graphs_[*at].name,
                           {Code::kInvalidArgument, place,
                            "graphs lead to each other in a circle, " + names +
                                "; steps must come to an end, so have one of them lead elsewhere"}});
    return std::nullopt;
  }

  std::nullopt_t wrong(size_t index, const std::string& place, std::string message) {
    seen_[index].state = State::kWrong;
    problems_.push_back({graphs_[index].name, {Code::kInvalidArgument, place, std::move(message)}});
    return std::nullopt;
  }

  static std::string too_deep(const InferenceGraph& graph) {
    return "graph '" + graph.name + "': more than " + std::to_string(kDeepest) +
           " nodes lie inside of each other, with those of the graphs that lead to each other; have fewer";
  }

  const std::vector<InferenceGraph>& graphs_;
  std::vector<Seen> seen_;
  std::map<std::string, size_t> numbers_;
  std::vector<size_t> path_;
  std::vector<GraphProblem> problems_;
};

}  // namespace

std::vector<GraphProblem> check_graphs_together(const std::vector<InferenceGraph>& graphs) {
  return Together(graphs).run();
}

std::optional<ConfigProblem> check_graph_size(const InferenceGraph& graph) {
  Sizes sizes(graph);
  for (size_t i = 0; i < graph.nodes.size(); ++i)
    if (auto problem = sizes.follow(i, graph.nodes[i].place)) return problem;
  return std::nullopt;
}

}  // namespace modelmill
