#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/config_problem.h"
#include "model/yaml_rule.h"

namespace modelmill {

/// Reads YAML; false, and a problem with its place, when it is not YAML.
bool read_yaml(std::string_view text, const std::string& file, YAML::Node& into, std::vector<ConfigProblem>& problems);

/// "file:line:column" of a node; the file alone for one that was never written.
std::string yaml_place(const std::string& file, const YAML::Mark& mark);

/// Holds a value against its rule and adds all that is wrong: unknown keys, keys written twice, wrong types, numbers
/// out of range. `name` is what the value is called, such as "batching.max_size".
void check_yaml(const YAML::Node& value, const YamlRule& rule, const std::string& name, const std::string& file,
                std::vector<ConfigProblem>& problems);

/// The whole number that a plain scalar is, or nullopt.
std::optional<int64_t> yaml_number(const YAML::Node& value);

/// The number from 0 to 100, whole or not, that a plain scalar is, or nullopt.
std::optional<double> yaml_percent(const YAML::Node& value);

/// true and false; nullopt for any other value.
std::optional<bool> yaml_switch(const YAML::Node& value);

}  // namespace modelmill
