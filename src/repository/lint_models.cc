#include "repository/lint_models.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <set>
#include <string_view>
#include <utility>

#include "model/yaml_config.h"
#include "repository/declared_graphs.h"
#include "repository/declared_routes.h"
#include "repository/fil_backend.h"
#include "repository/model_files.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kYamlLimit = 16 << 20;

class Linter {
 public:
  Linter(std::span<const ModelFormat> formats, const FindOptions& options) : formats_(formats), options_(options) {}

  /// Paths are looked at together, because models of one name are a problem, unless one of them spoils the look.
  LintReport lint(const std::vector<std::string>& paths) {
    DeclaredGraphs graphs = read_declared_graphs(paths);
    if (const auto found = find_models(paths, formats_, options_); found.ok()) {
      for (const FoundModel& model : found->models) lint(model);
      lint_members(found->models);
      lint_routes(paths, found->models, graphs);
      add(graphs);
      return std::move(out_);
    }
    for (const std::string& path : paths) {
      const auto found = find_models({path}, formats_, options_);
      if (!found.ok()) add_unusable(path, found.status());
      for (size_t i = 0; found.ok() && i < found->models.size(); ++i) lint(found->models[i]);
    }
    add(graphs);
    return std::move(out_);
  }

 private:
  void add_unusable(const std::string& path, const Status& status) {
    if (const std::string file = yaml_file_of(path); !file.empty()) {
      const auto text = read_file(file, kYamlLimit);
      const YamlConfig config = text.ok() ? read_yaml_config(*text, file) : YamlConfig();
      if (!config.problems.empty()) return add(config.problems);
    }
    out_.problems.push_back({status.code(), path, status.message()});
  }

  void add(const DeclaredGraphs& graphs) {
    add(graphs.problems);
    out_.notes.insert(out_.notes.end(), graphs.notes.begin(), graphs.notes.end());
  }

  void add(const std::vector<ConfigProblem>& problems) {
    out_.problems.insert(out_.problems.end(), problems.begin(), problems.end());
  }

  void lint(const FoundModel& model) {
    const std::string where =
        model.directory.empty() && !model.versions.empty() ? model.versions[0].file : model.directory;
    const size_t before = out_.problems.size();
    ModelConfiguration configuration = read_configuration(model);
    add(model.problems);
    add(configuration.problems);
    const size_t notes_before = out_.notes.size();
    std::move(configuration.notes.begin(), configuration.notes.end(), std::back_inserter(out_.notes));
    for (size_t i = notes_before; i < out_.notes.size(); ++i)
      if (out_.notes[i].place.empty()) out_.notes[i].place = where;
    LintedModel linted{model, std::move(configuration.layers), std::move(configuration.definition), {}};
    // What is at a URL has no files here.
    const bool lies_well = model.problems.size() == model.misdescribed && !where.empty();
    if (lies_well &&
        std::none_of(out_.problems.begin() + static_cast<std::ptrdiff_t>(before), out_.problems.end(), hides_files))
      lint_files(linted, where);
    for (size_t i = before; i < out_.problems.size(); ++i)
      if (out_.problems[i].place.empty()) out_.problems[i].place = where;
    if (out_.problems.size() == before) out_.models.push_back(std::move(linted));
  }

  /// Where the problem is of what says which files there should be, looking for them would find what isn't wrong.
  static bool hides_files(const ConfigProblem& problem) {
    constexpr std::array<std::string_view, 11> kNames{"backend'",        "platform'", "default_model_filename'",
                                                      "version_policy'", "versions'", "specific'",
                                                      "latest'",         "file'",     "path'",
                                                      "runtime'",        "ensemble'"};
    return problem.message.starts_with("version_policy") ||
           std::any_of(kNames.begin(), kNames.end(),
                       [&](std::string_view name) { return problem.message.find(name) != std::string::npos; });
  }

  /// That they lead to models; the rest is told of their file. Of graphs too, which may lead to routes.
  void lint_routes(const std::vector<std::string>& paths, const std::vector<FoundModel>& models,
                   DeclaredGraphs& graphs) {
    const auto declared = read_declared_routes(paths);
    if (!declared.ok()) return out_.problems.push_back({declared.status().code(), {}, declared.status().message()});
    std::set<std::string> names;
    for (const FoundModel& model : models) names.insert(model.name);
    for (const YamlRoute& route : declared->routes) names.insert(route.route.name);
    check_graphs(graphs, [&names](const std::string& name) { return names.contains(name); });
    for (const YamlRoute& route : declared->routes) {
      std::vector<RouteTarget> targets = targets_of(route.route);
      for (const RouteShadow& shadow : route.route.shadows) {
        targets.push_back(shadow.to);
        if (const std::string model = function_of(shadow.compare); !model.empty())
          targets.push_back(parse_route_target(model).value());
      }
      for (const RouteTarget& target : targets) {
        const bool known = std::any_of(models.begin(), models.end(),
                                       [&](const FoundModel& model) { return model.name == target.model; });
        if (!known)
          out_.problems.push_back({Code::kNotFound, route.place,
                                   "route '" + route.route.name + "' leads to '" + target.text() +
                                       "', but there is no model named '" + target.model +
                                       "'; add it, or correct the route"});
      }
    }
  }

  /// That the members of ensembles are there; the rest is told of their configurations, or by what they take and give.
  void lint_members(const std::vector<FoundModel>& models) {
    for (const LintedModel& model : out_.models) {
      if (!model.definition.ensemble) continue;
      const std::string place = origin_of(model.layers, ensemble_field(*model.definition.ensemble));
      for (const std::string& member : model.definition.ensemble->members()) {
        const bool known =
            std::any_of(models.begin(), models.end(), [&](const FoundModel& one) { return one.name == member; });
        if (!known)
          out_.problems.push_back({Code::kNotFound, place,
                                   "ensemble '" + model.definition.name + "' has the member '" + member +
                                       "', but there is no model of that name; add it, or correct the name"});
      }
    }
  }

  void lint_files(LintedModel& model, const std::string& where) {
    const VersionChoice choice = choose_versions(model.definition.version_policy, model.found.versions);
    const std::string place = origin_of(model.layers, "version_policy");
    for (const int64_t missing : choice.missing)
      out_.problems.push_back({Code::kNotFound, place.empty() ? where : place,
                               "model '" + model.definition.name + "': version " + std::to_string(missing) +
                                   " is not there; add its folder to '" + where + "'"});
    if (choice.versions.empty() && choice.missing.empty())
      out_.problems.push_back(
          {Code::kNotFound, where,
           "model '" + model.definition.name + "' has no version; expected folders named by a number, such as 1"});
    for (const FoundVersion& version : choice.versions) lint_version(model, version);
  }

  void lint_version(LintedModel& model, const FoundVersion& version) {
    if (model.definition.ensemble) return;  // it has no file, and no backend runs it
    const auto backend = infer_backend(model.definition, version, formats_);
    if (!backend.ok()) {
      out_.problems.push_back({backend.status().code(), version.directory, backend.status().message()});
      return;
    }
    model.definition.backend = *backend;
    const auto plugin = plugin_of(model.definition, version, formats_);
    if (!plugin.ok()) {
      out_.problems.push_back({plugin.status().code(), version.directory, plugin.status().message()});
      return;
    }
    // A model's folder may bring a backend of its own, so one that isn't installed here is no problem yet.
    const auto format = std::find_if(formats_.begin(), formats_.end(),
                                     [&](const ModelFormat& one) { return one.backend == plugin->backend; });
    std::string file = version.file;
    if (format != formats_.end()) {
      ModelFormat usual = *format;
      if (!plugin->default_file.empty()) usual.default_file = plugin->default_file;
      const auto found = find_model_file(model.definition, version, usual);
      if (!found.ok()) out_.problems.push_back({found.status().code(), version.directory, found.status().message()});
      if (found.ok()) file = *found;
    }
    model.backend_from = file.empty() ? "its files" : "its file " + fs::path(file).filename().string();
  }

  std::span<const ModelFormat> formats_;
  const FindOptions& options_;
  LintReport out_;
};

}  // namespace

LintReport lint_models(const std::vector<std::string>& paths, std::span<const ModelFormat> formats,
                       const FindOptions& options) {
  return Linter(formats, options).lint(paths);
}

}  // namespace modelmill
