#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_problem.h"
#include "model/graph/inference_graph.h"

namespace modelmill {

/// A file of Kubernetes objects, of which only the InferenceGraphs are read.
struct GraphDocuments {
  std::vector<InferenceGraph> graphs;  // those with which nothing is wrong
  std::vector<ConfigProblem> problems;
  /// The first thing that is wrong with a graph, by its name; not of those without one.
  std::map<std::string, std::string> wrong;
  /// What is accepted and has no effect.
  std::vector<ConfigProblem> notes;
};

/// Whether a text has an object of the kind InferenceGraph, by the line that says so; it may be wrong otherwise.
bool has_graphs(std::string_view text);

/// Reads the InferenceGraphs in a text, each held against KServe's rules. Never fails as a whole.
GraphDocuments read_graph_documents(std::string_view text, const std::string& file);

}  // namespace modelmill
