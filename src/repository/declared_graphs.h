#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "model/graph/graph_document.h"

namespace modelmill {

/// The inference graphs that the paths of a server declare.
struct DeclaredGraphs {
  std::vector<InferenceGraph> graphs;
  std::vector<ConfigProblem> problems;
  /// The first thing that is wrong with a graph, by its name.
  std::map<std::string, std::string> wrong;
  std::vector<ConfigProblem> notes;
  /// Where graphs come from or may come: YAML files, and folders.
  std::vector<std::string> places;
};

/// Whether the path is of a YAML file with an object of the kind InferenceGraph.
bool is_graph_file(const std::string& path);

/// Reads the graphs of each path: those in the file, or in the YAML files that lie directly in the folder. Graphs of
/// one name are a problem.
DeclaredGraphs read_declared_graphs(const std::vector<std::string>& paths);

/// Adds what is wrong with the graphs beside each other and the models (routes, ensembles) that are `known`: steps that
/// lead to none of them, graphs that lead to each other in a circle, and names that a model has. The others have the
/// services that they will ask.
void check_graphs(DeclaredGraphs& declared, const std::function<bool(const std::string& name)>& known);

}  // namespace modelmill
