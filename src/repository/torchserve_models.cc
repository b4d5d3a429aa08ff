#include "repository/torchserve_models.h"

#include <yaml-cpp/yaml.h>

#include <utility>
#include <vector>

#include "model/yaml_check.h"
#include "repository/torchserve_config.h"

namespace modelmill {
namespace {

Result<TorchserveModels> read(const YAML::Node& root, const std::string& place) {
  std::vector<ConfigProblem> problems;
  TorchserveModels out;
  const YAML::Node defaults = root["defaults"];
  out.all = torchserve_layer(defaults, place, problems);
  const auto put = [&](const char* key, const char* parameter) {
    const YAML::Node value = defaults[key];
    if (!value.IsDefined()) return;
    (*out.all.config.mutable_parameters())[parameter].set_string_value(value.Scalar());
    out.all.fields.insert("parameters");
  };
  put("serviceEnvelope", "service_envelope");
  put("decodeInputRequest", "decode_input_request");
  const YAML::Node snapshot = root["snapshot"];
  const bool is_snapshot = snapshot.IsDefined() && yaml_switch(snapshot).value_or(false);
  for (const auto& model : root["models"]) {
    for (const auto& version : model.second) {
      const std::string of = place + ": model '" + model.first.Scalar() + "', version '" + version.first.Scalar() + "'";
      TorchserveModels::Version& said = out.models[model.first.Scalar()][version.first.Scalar()];
      YAML::Node keys = YAML::Clone(version.second);
      if (const YAML::Node size = keys["batchSize"]; is_snapshot && size.IsDefined() && yaml_number(size) == 1)
        keys.remove("batchSize");
      said.layer = torchserve_layer(keys, of, problems);
      const YAML::Node is_default = keys["defaultVersion"];
      said.is_default = is_default.IsDefined() && yaml_switch(is_default).value_or(false);
    }
  }
  if (!problems.empty()) return invalid_argument(problems.front().place + ": " + problems.front().message);
  return out;
}

}  // namespace

Result<TorchserveModels> read_torchserve_models(const std::string& json, const std::string& place) {
  std::vector<ConfigProblem> problems;
  YAML::Node root;
  if (!read_yaml(json, place, root, problems)) return status_of(problems.front());
  try {
    return read(root, place);
  } catch (const YAML::Exception& e) {
    return invalid_argument(place + ": can't be read: " + e.msg);
  }
}

void lay_below(FoundModel& model, const TorchserveModels& said) {
  if (model.layout != ModelLayout::kTorchserve || !model.problem.ok()) return;
  std::vector<ModelLayer> below = {said.all};
  const auto found = said.models.find(model.name);
  if (found != said.models.end() && !model.layers.empty() && model.layers.front().labels) {
    // One definition is all versions': the newest one's counts, as that of its archive does.
    const ModelLayer* newest = nullptr;
    int64_t number = 0;
    std::optional<int64_t> chosen;
    for (const auto& [text, version] : *model.layers.front().labels) {
      const auto of_version = found->second.find(text);
      if (of_version == found->second.end()) continue;
      if (of_version->second.is_default) chosen = version;
      if (newest != nullptr && version < number) continue;
      newest = &of_version->second.layer;
      number = version;
    }
    if (newest != nullptr) below.push_back(*newest);
    if (chosen && newest != nullptr) below.back().default_version = chosen;
  }
  model.layers.insert(model.layers.begin(), below.begin(), below.end());
}

}  // namespace modelmill
