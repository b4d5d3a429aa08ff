#include "repository/declared_graphs.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "model/graph/graph_limits.h"
#include "model/yaml_config.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kGraphFileLimit = 16 << 20;

bool may_have_graphs(const fs::path& path) {
  const std::string ending = path.extension().string();
  std::error_code error;
  return (ending == ".yaml" || ending == ".yml") && fs::is_regular_file(path, error);
}

/// The text of a file that declares graphs.
std::optional<std::string> graph_text(const fs::path& path) {
  if (!may_have_graphs(path)) return std::nullopt;
  auto text = read_file(path.string(), kGraphFileLimit);
  return text.ok() && has_graphs(*text) ? std::optional(*std::move(text)) : std::nullopt;
}

/// The YAML files in the folder that a path means, by name, or the path itself.
std::vector<fs::path> files_of(const fs::path& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return {path};
  std::vector<fs::path> out;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error))
    if (!it->path().filename().string().starts_with('.') && it->path().filename() != kYamlConfigFile)
      out.push_back(it->path());
  std::sort(out.begin(), out.end());
  return out;
}

template <typename Items>
void append(Items& into, Items&& more) {
  std::move(more.begin(), more.end(), std::back_inserter(into));
}

}  // namespace

bool is_graph_file(const std::string& path) { return graph_text(path).has_value(); }

DeclaredGraphs read_declared_graphs(const std::vector<std::string>& paths) {
  DeclaredGraphs out;
  std::map<std::string, std::string> seen;  // where, by name
  std::set<fs::path> read;
  for (const std::string& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) out.places.push_back(path);
    for (const fs::path& file : files_of(path)) {
      if (!may_have_graphs(file)) continue;
      out.places.push_back(file.string());
      const auto text = graph_text(file);
      if (!text || !read.insert(fs::weakly_canonical(file, error)).second) continue;
      GraphDocuments documents = read_graph_documents(*text, file.string());
      append(out.problems, std::move(documents.problems));
      append(out.notes, std::move(documents.notes));
      out.wrong.merge(documents.wrong);
      for (InferenceGraph& graph : documents.graphs) {
        const auto [at, fresh] = seen.emplace(graph.name, graph.place);
        if (fresh)
          out.graphs.push_back(std::move(graph));
        else
          out.problems.push_back(
              {Code::kAlreadyExists, graph.place,
               "graph '" + graph.name + "' is declared at " + at->second + " too; rename one of them"});
      }
    }
  }
  return out;
}

void check_graphs(DeclaredGraphs& declared, const std::function<bool(const std::string& name)>& known) {
  const auto add = [&declared](const std::string& graph, ConfigProblem problem) {
    declared.wrong.emplace(graph, problem.message);
    declared.problems.push_back(std::move(problem));
  };
  std::set<std::string> graphs;
  for (const InferenceGraph& graph : declared.graphs) graphs.insert(graph.name);
  const auto target_of = [&](const std::string& name) {
    if (known(name)) return GraphTarget::kModel;
    return graphs.contains(name) ? GraphTarget::kGraph : GraphTarget::kNone;
  };
  for (InferenceGraph& graph : declared.graphs) {
    if (known(graph.name))
      add(graph.name, {Code::kAlreadyExists, graph.place,
                       "graph '" + graph.name +
                           "' has the name of a model, route or ensemble, which clients ask by the same "
                           "paths; rename one of them"});
    for (ConfigProblem& problem : resolve_targets(graph, target_of)) add(graph.name, std::move(problem));
  }
  for (GraphProblem& one : check_graphs_together(declared.graphs)) add(one.graph, std::move(one.problem));
}

}  // namespace modelmill
