#include "repository/workflow_archive.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <map>
#include <system_error>
#include <utility>

#include "model/triton_config.h"
#include "model/yaml_check.h"
#include "repository/foreign_layouts.h"
#include "repository/json_file.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".war";
constexpr const char* kManifest = "WAR-INF/MANIFEST.json";
constexpr const char* kFunctionBackend = "python";
/// The parameter that tells the worker which of the handler's functions it is.
constexpr const char* kFunction = "workflow_function";
constexpr uint64_t kSpecLimit = 16 << 20;
constexpr size_t kMostNodes = 256;
constexpr int64_t kMostWorkers = 1024;
constexpr int64_t kMostRetries = 100;

/// Reads the YAML file with the models and the graph.
class SpecReader {
 public:
  SpecReader(const YAML::Node& root, std::string file, bool has_handler, WorkflowArchive& into)
      : root_(root), file_(std::move(file)), has_handler_(has_handler), out_(into) {}

  Status read() {
    MM_RETURN_IF_ERROR(read_models());
    MM_RETURN_IF_ERROR(read_dag());
    return check_graph();
  }

 private:
  struct Model {
    std::string url;
    WorkflowArchive::Settings settings;
  };

  Status wrong(const YAML::Node& at, const std::string& what) const {
    return invalid_argument(yaml_place(file_, at.Mark()) + ": " + what);
  }
  Status number(const YAML::Node& map, const char* key, int64_t least, int64_t most, int64_t& into) const;
  Status read_settings(const YAML::Node& map, WorkflowArchive::Settings& into) const;
  Status read_models();
  Status read_dag();
  Result<size_t> node_of(const YAML::Node& name);
  Status check_graph() const;

  const YAML::Node& root_;
  const std::string file_;
  const bool has_handler_;
  WorkflowArchive& out_;
  std::map<std::string, Model> models_;
  std::map<std::string, size_t> nodes_;
};

bool is_setting(const std::string& key) {
  for (const char* known :
       {"min-workers", "max-workers", "batch-size", "max-batch-delay", "retry-attempts", "timeout-ms"})
    if (key == known) return true;
  return false;
}

Status SpecReader::number(const YAML::Node& map, const char* key, int64_t least, int64_t most, int64_t& into) const {
  const YAML::Node value = map[key];
  if (!value.IsDefined()) return ok_status();
  const auto found = value.IsScalar() ? yaml_number(value) : std::nullopt;
  if (!found || *found < least || *found > most)
    return wrong(value, "'" + std::string(key) + "' must be a whole number from " + std::to_string(least) + " to " +
                            std::to_string(most));
  into = *found;
  return ok_status();
}

Status SpecReader::read_settings(const YAML::Node& map, WorkflowArchive::Settings& into) const {
  constexpr int64_t kMost = std::numeric_limits<int32_t>::max();
  int64_t least = into.min_workers, most = into.max_workers, retries = into.retries;
  int64_t delay = into.max_batch_delay.count(), timeout = into.timeout.count();
  MM_RETURN_IF_ERROR(number(map, "min-workers", 0, kMostWorkers, least));
  MM_RETURN_IF_ERROR(number(map, "max-workers", 1, kMostWorkers, most));
  MM_RETURN_IF_ERROR(number(map, "batch-size", 1, kMost, into.batch_size));
  MM_RETURN_IF_ERROR(number(map, "max-batch-delay", 0, kMost, delay));
  MM_RETURN_IF_ERROR(number(map, "retry-attempts", 0, kMostRetries, retries));
  MM_RETURN_IF_ERROR(number(map, "timeout-ms", 1, kMost, timeout));
  into.min_workers = static_cast<int>(least);
  into.max_workers = static_cast<int>(most);
  into.retries = static_cast<int>(retries);
  into.max_batch_delay = std::chrono::milliseconds(delay);
  into.timeout = std::chrono::milliseconds(timeout);
  return ok_status();
}

Status SpecReader::read_models() {
  const YAML::Node models = root_["models"];
  if (!models.IsDefined() || models.IsNull()) return ok_status();  // functions alone
  if (!models.IsMap()) return wrong(models, "'models' must be a map of models and settings");
  MM_RETURN_IF_ERROR(read_settings(models, out_.settings));
  for (const auto& entry : models) {
    const std::string name = entry.first.Scalar();
    if (is_setting(name)) continue;
    const YAML::Node& said = entry.second;
    if (!said.IsMap() || !said["url"].IsDefined() || !said["url"].IsScalar() || said["url"].Scalar().empty())
      return wrong(said,
                   "model '" + name + "' must be a map with the 'url' of its archive, such as url: " + name + ".mar");
    Model& model = models_[name];
    model = {said["url"].Scalar(), out_.settings};
    MM_RETURN_IF_ERROR(read_settings(said, model.settings));
  }
  return ok_status();
}

Result<size_t> SpecReader::node_of(const YAML::Node& name) {
  const std::string text = name.IsScalar() ? name.Scalar() : std::string();
  if (text.empty()) return wrong(name, "a node of 'dag' must be the name of a model or function");
  const auto [at, fresh] = nodes_.emplace(text, out_.nodes.size());
  if (!fresh) return at->second;
  if (nodes_.size() > kMostNodes)
    return wrong(name, "'dag' has more than " + std::to_string(kMostNodes) + " nodes; make several workflows of it");
  if (const Status named = check_model_name(workflow_model_name(out_.name, text)); !named.ok())
    return wrong(name, "node '" + text + "' can't be served: " + named.message());
  WorkflowArchive::Node node{text, {}, out_.settings};
  if (const auto model = models_.find(text); model != models_.end()) {
    node.url = model->second.url;
    node.settings = model->second.settings;
  } else if (!has_handler_) {
    return wrong(name, "node '" + text +
                           "' of 'dag' is none of 'models', and the archive has no handler file with a function of "
                           "that name");
  }
  out_.nodes.push_back(std::move(node));
  return at->second;
}

Status SpecReader::read_dag() {
  const YAML::Node dag = root_["dag"];
  if (!dag.IsDefined() || !dag.IsMap() || dag.size() == 0)
    return wrong(root_, "'dag' must be a map of nodes, such as preprocess: [model]");
  for (const auto& entry : dag) {
    MM_ASSIGN_OR_RETURN(const size_t from, node_of(entry.first));
    const YAML::Node& followers = entry.second;
    if (!followers.IsNull() && !followers.IsSequence())
      return wrong(followers, "what follows node '" + entry.first.Scalar() + "' must be a list, such as [model]");
    if (followers.size() > kMostNodes)
      return wrong(followers, "more than " + std::to_string(kMostNodes) + " nodes follow node '" +
                                  entry.first.Scalar() + "'; make several workflows of it");
    std::string list;
    for (const auto& follower : followers) {
      const bool nothing = follower.IsNull() || (follower.IsScalar() && follower.Scalar().empty());
      list += (list.empty() ? "" : ", ") + (nothing ? "null" : follower.as<std::string>(""));
      if (nothing) continue;
      MM_ASSIGN_OR_RETURN(const size_t to, node_of(follower));
      auto& next = out_.nodes[from].next;
      if (std::find(next.begin(), next.end(), to) != next.end()) continue;
      next.push_back(to);
      ++out_.nodes[to].inputs;
    }
    out_.dag += (out_.dag.empty() ? "{" : ", ") + entry.first.Scalar() + "=[" + list + "]";
  }
  out_.dag += "}";
  return ok_status();
}

/// One node gets the request, and nothing goes in a circle.
Status SpecReader::check_graph() const {
  std::vector<size_t> ready, missing;
  std::string starts;
  for (size_t i = 0; i < out_.nodes.size(); ++i) {
    missing.push_back(out_.nodes[i].inputs);
    if (missing[i] > 0) continue;
    ready.push_back(i);
    starts += (starts.empty() ? "" : ", ") + out_.nodes[i].name;
  }
  if (ready.size() != 1)
    return invalid_argument("DAG should have only one start node; in '" + file_ +
                            (ready.empty() ? "' every node follows another one" : "' nothing leads to " + starts));
  size_t done = 0;
  for (; done < ready.size(); ++done)
    for (const size_t next : out_.nodes[ready[done]].next)
      if (--missing[next] == 0) ready.push_back(next);
  if (done == out_.nodes.size()) return ok_status();
  std::string circle;
  for (size_t i = 0; i < missing.size(); ++i)
    if (missing[i] > 0) circle += (circle.empty() ? "" : ", ") + out_.nodes[i].name;
  return invalid_argument("DAG has a loop, in '" + file_ + "' among " + circle);
}

/// A file that the manifest names.
Result<std::string> named_file(const JsonFile& manifest, const std::string& folder, const char* key,
                               const std::string& file) {
  const std::string name = manifest.text("/workflow/" + std::string(key)).value_or("");
  if (name.empty()) return name;
  MM_ASSIGN_OR_RETURN(std::string path, path_inside(folder, name));
  std::error_code error;
  if (!fs::is_regular_file(path, error))
    return invalid_argument(file + ": '" + key + "' names '" + name + "', which is not in the archive");
  return path;
}

}  // namespace

bool is_workflow_archive_name(std::string_view filename) {
  return filename.size() > kEnding.size() && filename.ends_with(kEnding);
}

std::string workflow_model_name(std::string_view workflow, std::string_view node) {
  return std::string(workflow) + "__" + std::string(node);
}

Result<WorkflowArchive> read_workflow_archive(const std::string& folder, const std::string& name) {
  WorkflowArchive out;
  out.manifest = folder + "/" + kManifest;
  std::error_code error;
  if (!fs::is_regular_file(out.manifest, error))
    return invalid_argument("'" + folder + "' has no " + kManifest + ", so it is no workflow archive");
  MM_ASSIGN_OR_RETURN(const JsonFile manifest, JsonFile::read(out.manifest));
  out.name = name.empty() ? manifest.text("/workflow/workflowName").value_or("") : name;
  if (out.name.empty()) return invalid_argument(out.manifest + ": Workflow name is not defined.");
  if (!manifest.text("/archiverVersion"))
    return invalid_argument(out.manifest + ": Workflow archive version is not defined.");
  if (!manifest.text("/createdOn"))
    return invalid_argument(out.manifest + ": Workflow archive createdOn is not defined.");
  MM_RETURN_IF_ERROR(check_model_name(out.name));
  MM_ASSIGN_OR_RETURN(const std::string handler, named_file(manifest, folder, "handler", out.manifest));
  MM_ASSIGN_OR_RETURN(const std::string spec, named_file(manifest, folder, "specFile", out.manifest));
  if (spec.empty()) return invalid_argument(out.manifest + ": it names no 'specFile', the YAML of the workflow");
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(spec, kSpecLimit));
  std::vector<ConfigProblem> problems;
  YAML::Node root;
  if (!read_yaml(text, spec, root, problems)) return status_of(problems.front());
  if (!root.IsMap()) return invalid_argument(spec + ": it must have the keys 'models' and 'dag'");
  try {
    MM_RETURN_IF_ERROR(SpecReader(root, spec, !handler.empty(), out).read());
  } catch (const YAML::Exception& e) {
    return invalid_argument(yaml_place(spec, e.mark) + ": can't be read: " + e.msg + "; correct the YAML");
  }
  return out;
}

FoundModel workflow_function(const WorkflowArchive& archive, const WorkflowArchive::Node& node,
                             const std::string& folder, std::span<const ModelFormat> formats) {
  FoundModel model;
  model.name = workflow_model_name(archive.name, node.name);
  model.directory = folder;
  model.layout = ModelLayout::kTorchserve;
  model.config_files.push_back(archive.manifest);
  model.versions.push_back({1, folder, archive.manifest});
  if (!is_installed(kFunctionBackend, formats)) {
    model.refuse(missing_backend(model.name, "function " + node.name + " of a workflow of TorchServe's",
                                 kFunctionBackend, archive.manifest));
    return model;
  }
  ModelLayer version;
  version.labels = VersionLabels{{"1.0", 1}};
  version.place_of = [file = archive.manifest](const std::string&) { return file; };
  model.layers = {std::move(version), text_layer("backend", kFunctionBackend, archive.manifest),
                  parameter_layer(kFunction, node.name, archive.manifest)};
  return model;
}

}  // namespace modelmill
