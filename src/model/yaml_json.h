#pragma once

#include <yaml-cpp/yaml.h>

#include <string>

namespace modelmill {

/// The JSON that a YAML value means: plain scalars that JSON could have written as numbers, true, false or null are
/// those, all others are texts; quoted ones always are.
std::string json_of_yaml(const YAML::Node& value);

}  // namespace modelmill
