#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "model/config_problem.h"
#include "model/route_definition.h"

namespace modelmill {

/// A route that a modelmill.yaml declares.
struct YamlRoute {
  RouteDefinition route;
  std::string place;
};

/// Reads `routes`, which is not there or has passed check_yaml(). What its rules can't tell, such as shares that do not
/// sum up, is added to the problems.
std::vector<YamlRoute> routes_of_yaml(const YAML::Node& routes, const std::string& file,
                                      std::vector<ConfigProblem>& problems);

}  // namespace modelmill
