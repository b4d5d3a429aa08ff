#include "model/yaml_config.h"

#include <yaml-cpp/yaml.h>

#include <utility>

#include "base/size_text.h"
#include "model/triton_config.h"
#include "model/yaml_check.h"
#include "model/yaml_keys.h"
#include "model/yaml_layer.h"

namespace modelmill {
namespace {

/// False, with a problem, for a file of a format that is newer than this server.
bool check_schema_version(const YAML::Node& root, const std::string& file, std::vector<ConfigProblem>& problems) {
  const YAML::Node version = root["schema_version"];
  const auto number = version.IsDefined() ? yaml_number(version) : std::nullopt;
  if (!number || *number <= kYamlSchemaVersion) return true;
  problems.push_back({Code::kUnimplemented, yaml_place(file, version.Mark()),
                      "schema_version " + std::to_string(*number) + " is newer than what this server reads, " +
                          std::to_string(kYamlSchemaVersion) + "; serve it with a newer modelmill"});
  return false;
}

/// The keys of an entry with which nothing is wrong by itself.
YAML::Node without_problems(const YAML::Node& entry, const YamlRule& rule, const std::string& file) {
  YAML::Node out(YAML::NodeType::Map);
  for (const auto& key : entry) {
    YAML::Node alone(YAML::NodeType::Map);
    alone[key.first] = key.second;
    std::vector<ConfigProblem> problems;
    check_yaml(alone, rule, "", file, problems);
    if (problems.empty()) out[key.first] = key.second;
  }
  return out;
}

YamlModel read_model(const YAML::Node& entry, const YamlRule& rule, const std::string& name, const std::string& file) {
  YamlModel model;
  model.place = yaml_place(file, entry.Mark());
  check_yaml(entry, rule, name, file, model.problems);
  if (!entry.IsMap()) return model;
  if (const auto value = entry["name"]; value.IsDefined() && value.IsScalar()) {
    model.name = value.Scalar();
    if (const Status status = check_model_name(model.name); !status.ok() && !model.name.empty())
      model.problems.push_back({status.code(), yaml_place(file, value.Mark()), status.message()});
  }
  if (const auto value = entry["path"]; value.IsDefined() && value.IsScalar()) model.path = value.Scalar();
  if (model.problems.empty()) {
    model.layer = layer_of_yaml(entry, file, model.problems);
  } else {
    std::vector<ConfigProblem> told;  // what is wrong is known already
    model.layer = layer_of_yaml(without_problems(entry, rule, file), file, told);
  }
  return model;
}

/// Which are not there, or have passed check_yaml().
DeviceBudgets budgets_of(const YAML::Node& value) {
  DeviceBudgets out;
  if (!value.IsDefined()) return out;
  const auto bytes_of = [](const YAML::Node& size) { return parse_bytes(size.Scalar()).value(); };
  if (value.IsScalar()) out.each = bytes_of(value);
  if (value.IsMap())
    for (const auto& entry : value)
      out.of.emplace(static_cast<int>(yaml_number(entry.first).value_or(0)), bytes_of(entry.second));
  return out;
}

YamlConfig read_root(const YAML::Node& root, const std::string& file) {
  YamlConfig out;
  if (root.IsNull()) {  // an empty file describes a model by nothing
    out.models.emplace_back().layer.place_of = [file](const std::string&) { return file; };
    return out;
  }
  if (!root.IsMap()) {
    out.problems.push_back({Code::kInvalidArgument, yaml_place(file, root.Mark()),
                            "expected keys, such as 'models:', or 'batching:' in a model's folder"});
    return out;
  }
  if (!check_schema_version(root, file, out.problems)) return out;
  out.lists_models = root["models"].IsDefined();
  if (!out.lists_models) {
    out.models.push_back(read_model(root, yaml_single_rule(), "", file));
    return out;
  }
  check_yaml(root, yaml_listing_frame_rule(), "", file, out.problems);
  if (!out.problems.empty()) return out;
  out.device_memory = budgets_of(root["device_memory"]);
  out.routes = routes_of_yaml(root["routes"], file, out.problems);
  out.rollouts = wishes_of_yaml(root["rollouts"], "rollout", file, out.problems);
  out.experiments = wishes_of_yaml(root["experiments"], "experiment", file, out.problems);
  if (!out.problems.empty()) return out;
  const YAML::Node models = root["models"];
  for (size_t i = 0; i < models.size(); ++i)
    out.models.push_back(read_model(models[i], yaml_model_rule(), "models[" + std::to_string(i) + "]", file));
  return out;
}

}  // namespace

YamlConfig read_yaml_config(std::string_view text, const std::string& file) {
  YamlConfig out;
  YAML::Node root;
  if (!read_yaml(text, file, root, out.problems)) return out;
  try {
    return read_root(root, file);
  } catch (const YAML::Exception& e) {
    out.problems.push_back(
        {Code::kInvalidArgument, yaml_place(file, e.mark), "can't be read: " + e.msg + "; correct the YAML"});
    return out;
  }
}

}  // namespace modelmill
