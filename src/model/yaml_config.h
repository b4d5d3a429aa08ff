#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/config_problem.h"
#include "model/device_budgets.h"
#include "model/model_layer.h"
#include "model/yaml_routes.h"
#include "model/yaml_wishes.h"

namespace modelmill {

/// The file's name in a folder.
inline constexpr const char* kYamlConfigFile = "modelmill.yaml";

/// What a modelmill.yaml says of one model.
struct YamlModel {
  std::string name;  // empty: that of the model's file or folder
  std::string path;  // as written; empty: its name, or in the model's own folder that folder
  std::string place;
  /// When there are problems, of the keys that have none.
  ModelLayer layer;
  std::vector<ConfigProblem> problems;
};

/// A modelmill.yaml, read and held against its rules.
struct YamlConfig {
  /// It has `models`; without, it describes the one model whose folder it is in.
  bool lists_models = false;
  std::vector<YamlModel> models;
  std::vector<YamlRoute> routes;
  std::vector<YamlWish> rollouts, experiments;
  DeviceBudgets device_memory;
  /// Of the file as a whole; then there are no models.
  std::vector<ConfigProblem> problems;
};

/// Reads a modelmill.yaml. Never fails as a whole: what is wrong is in the problems, of the file or of the model whose
/// entry it is.
YamlConfig read_yaml_config(std::string_view text, const std::string& file);

}  // namespace modelmill
