#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "model/config_problem.h"

namespace modelmill {

/// A rollout or an experiment that a modelmill.yaml wants.
struct YamlWish {
  std::string name;
  std::string plan;  // JSON: its other keys, as who starts one over HTTP sends them
  std::string file;
  std::string place;  // in the file
};

/// Reads `rollouts` or `experiments`, which is not there or has passed check_yaml(). `what`: "rollout" or "experiment".
/// A name that stands twice is added to the problems.
std::vector<YamlWish> wishes_of_yaml(const YAML::Node& wishes, const std::string& what, const std::string& file,
                                     std::vector<ConfigProblem>& problems);

}  // namespace modelmill
