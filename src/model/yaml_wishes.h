#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "model/config_problem.h"
#include "model/yaml_wish.h"

namespace modelmill {

/// Reads `rollouts` or `experiments`, which is not there or has passed check_yaml(). `what`: "rollout" or "experiment".
/// A name that stands twice is added to the problems.
std::vector<YamlWish> wishes_of_yaml(const YAML::Node& wishes, const std::string& what, const std::string& file,
                                     std::vector<ConfigProblem>& problems);

}  // namespace modelmill
