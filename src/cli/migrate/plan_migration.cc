#include "cli/migrate/plan_migration.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

#include "base/json_text.h"
#include "cli/migrate/find_foreign.h"
#include "cli/migrate/foreign_keys.h"
#include "cli/migrate/leftover_config.h"
#include "cli/migrate/model_place.h"
#include "cli/migrate/moved_settings.h"
#include "cli/migrate/said_lines.h"
#include "model/effective_config.h"
#include "model/yaml_config.h"
#include "repository/model_files.h"
#include "repository/torchserve_properties.h"

namespace modelmill {
namespace {

inference::ModelConfig config_of(const ModelDefinition& definition) {
  inference::ModelConfig config;
  (void)config.ParseFromString(definition.triton_config);  // our own serialisation
  return config;
}

/// The definition with the backend of the newest version that is served.
Result<ModelDefinition> with_backend(const FoundModel& model, ModelDefinition definition,
                                     std::span<const ModelFormat> formats) {
  if (definition.ensemble) return definition;
  const VersionChoice choice = choose_versions(definition.version_policy, model.versions);
  if (choice.versions.empty())
    return not_found("model '" + model.name + "' has no version that its policy picks; add a version's folder");
  MM_ASSIGN_OR_RETURN(definition.backend, infer_backend(definition, choice.versions.back(), formats));
  return definition;
}

class Planner {
 public:
  Planner(std::span<const ModelFormat> formats, const PlanOptions& options) : formats_(formats), options_(options) {}

  Migration run(const FoundModels& found) {
    out_.notes = found.notes;
    for (const FoundModel& model : found.models) add(model);
    return std::move(out_);
  }

 private:
  void leave_out(const FoundModel& model, const ConfigProblem& problem) {
    const std::string where =
        model.directory.empty() && !model.versions.empty() ? model.versions[0].file : model.directory;
    out_.left_out.push_back(
        {problem.code, options_.named(problem.place.empty() ? where : problem.place), options_.named(problem.message)});
  }

  void add(const FoundModel& model) {
    if (!model.problems.empty()) {
      for (const ConfigProblem& problem : model.problems) leave_out(model, problem);
      return;
    }
    const ModelConfiguration configuration = read_configuration(model);
    for (const ConfigProblem& problem : configuration.problems) leave_out(model, problem);
    if (!configuration.problems.empty()) return;
    auto moved = move(model, configuration);
    if (!moved.ok()) return leave_out(model, {moved.status().code(), {}, moved.status().message()});
    add_server_keys(model);
    out_.models.push_back(*std::move(moved));
  }

  Result<MovedModel> move(const FoundModel& model, const ModelConfiguration& configuration) {
    MovedModel out;
    out.found = model;
    out.system = options_.system == MigratedSystem::kAny ? system_of(model) : options_.system;
    const std::vector<ModelLayer> wanted = options_.tune_again ? untuned(configuration.layers) : configuration.layers;
    MM_ASSIGN_OR_RETURN(const ModelDefinition definition, with_backend(model, lay_over(wanted).definition, formats_));
    MM_ASSIGN_OR_RETURN(const ModelPlace place, place_of_model(model, definition.backend, options_.is_packed));
    MM_ASSIGN_OR_RETURN(out.in_force, text_in_force(model, wanted, formats_));
    out.files = place.files;
    const inference::ModelConfig config = config_of(definition);
    const std::set<std::string> leftover = fields_without_key(config);
    // A layout that stays inside keeps its own config.pbtxt.
    if (place.path.empty()) out.leftover = leftover_config(config, leftover);
    out.yaml = yaml_of(model, place, wanted, leftover);
    MM_RETURN_IF_ERROR(check(out.yaml));
    add_settings(model, configuration, leftover, out);
    return out;
  }

  std::string yaml_of(const FoundModel& model, const ModelPlace& place, std::span<const ModelLayer> layers,
                      std::set<std::string> leftover) const {
    std::string out = "schema_version: 1\n";
    if (!place.path.empty())
      out +=
          "name: " + JsonWriter().value(model.name).take() + "\npath: " + JsonWriter().value(place.path).take() + "\n";
    leftover.insert("name");
    const std::vector<ModelLayer> with_key = without(layers, leftover);
    return out + options_.named(said_yaml(lay_over(with_key).definition, with_key));
  }

  /// Other servers have settings whose values are beyond what ours may be.
  static Status check(const std::string& yaml) {
    const YamlConfig read = read_yaml_config(yaml, kYamlConfigFile);
    const std::vector<ConfigProblem>& problems = read.models.empty() ? read.problems : read.models.front().problems;
    if (problems.empty()) return ok_status();
    return status_of(problems.front()).with_context("it can't be said in modelmill.yaml");
  }

  void add_settings(const FoundModel& model, const ModelConfiguration& configuration,
                    const std::set<std::string>& leftover, MovedModel& out) const {
    SettingsInput input{out.system, configuration.layers, configuration.notes, leftover, options_.tune_again};
    out.settings = moved_settings(input);
    for (const std::string& file : model.config_files) {
      const bool is_model = !model.versions.empty() && model.versions.front().file == file;
      for (MovedSetting& setting : foreign_keys(file, options_.named(file), is_model))
        out.settings.push_back(std::move(setting));
    }
    if (std::filesystem::exists(model.directory + "/configs") && !model.directory.empty())
      out.settings.push_back({SettingFate::kGone,
                              "configs/",
                              {},
                              "a modelmill.yaml is one configuration; migrate with each file in the place of "
                              "config.pbtxt to have another",
                              model.directory + "/configs"});
    for (MovedSetting& setting : out.settings) setting.place = options_.named(setting.place);
  }

  /// Once for each file, however many models are in it.
  void add_server_keys(const FoundModel& model) {
    for (const std::string& file : model.config_files) {
      if (!is_torchserve_properties(file) || std::find(servers_.begin(), servers_.end(), file) != servers_.end())
        continue;
      servers_.push_back(file);
      for (MovedSetting& setting : server_keys(file)) out_.settings.push_back(std::move(setting));
    }
  }

  const std::span<const ModelFormat> formats_;
  const PlanOptions& options_;
  std::vector<std::string> servers_;
  Migration out_;
};

}  // namespace

Result<std::string> text_in_force(const FoundModel& model, std::span<const ModelLayer> layers,
                                  std::span<const ModelFormat> formats) {
  LayeredDefinition laid = lay_over(layers);
  if (!laid.problems.empty()) return status_of(laid.problems.front());
  const inference::ModelConfig config = config_of(laid.definition);
  laid.definition.request_logs.clear();  // they have no key
  MM_ASSIGN_OR_RETURN(const ModelDefinition definition, with_backend(model, laid.definition, formats));
  std::string out = without_origins(effective_yaml(definition, layers, {}, {}));
  out += leftover_config(config, fields_without_key(config));
  out += "served:";
  for (const FoundVersion& version : choose_versions(definition.version_policy, model.versions).versions)
    out += " " + std::to_string(version.version);
  return out + "\n";
}

Migration plan_migration(const FoundModels& found, std::span<const ModelFormat> formats, const PlanOptions& options) {
  return Planner(formats, options).run(found);
}

}  // namespace modelmill
