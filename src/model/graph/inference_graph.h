#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "model/config_problem.h"
#include "model/graph/gjson_path.h"

namespace modelmill {

/// A step of a node: a service that is asked, or another node.
struct GraphStep {
  std::string name;  // empty: none
  std::string place;
  /// The target as it is written, for people.
  std::string target;
  /// Of a step that leads to a node; the graph's.
  std::optional<size_t> node;
  /// Names that the service may have here, the likeliest first; resolve_targets() leaves the one that there is.
  std::vector<std::string> services;
  /// That service is another graph.
  bool graph = false;
  /// The path of a serviceUrl; empty: the body tells which protocol the service is asked by.
  std::string path;
  bool of_response = false;  // $response
  bool map_predictions = false;
  int weight = 0;
  std::optional<GjsonPath> condition;
  bool hard = false;
};

enum class GraphRouter : uint8_t { kSequence, kSplitter, kEnsemble, kSwitch };
/// As KServe writes it: "Sequence".
std::string_view router_name(GraphRouter router);

struct GraphNode {
  std::string name;
  std::string place;
  GraphRouter router = GraphRouter::kSequence;
  std::vector<GraphStep> steps;
};

/// An InferenceGraph of KServe's. One that was read has no circle, and a request to it takes a bounded number of steps.
struct InferenceGraph {
  std::string name;
  std::string place;
  std::vector<GraphNode> nodes;
  size_t root = 0;
  Duration timeout{};       // of a request as a whole; zero: none
  Duration step_timeout{};  // of each service's answer; zero: none
};

/// What a name stands for in a server.
enum class GraphTarget : uint8_t { kNone, kModel, kGraph };

/// Chooses the service of each step among the names that stand for something: a model (route, ensemble), or another
/// graph. What is wrong: the steps that lead to none.
std::vector<ConfigProblem> resolve_targets(InferenceGraph& graph,
                                           const std::function<GraphTarget(const std::string& name)>& target_of);

/// The name of a node's step in an ensemble's answer: its own, or its number.
std::string answer_key(const GraphStep& step, size_t index);

}  // namespace modelmill
