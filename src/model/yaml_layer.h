#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "model/config_problem.h"
#include "model/model_layer.h"

namespace modelmill {

/// What an entry of modelmill.yaml says, for one that has passed check_yaml(). What its rules can't tell, keys that
/// exclude each other, is added to `problems`.
ModelLayer layer_of_yaml(const YAML::Node& model, const std::string& file, std::vector<ConfigProblem>& problems);

}  // namespace modelmill
