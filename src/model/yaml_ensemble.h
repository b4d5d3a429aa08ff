#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <vector>

#include "model/config_problem.h"
#include "model/ensemble_definition.h"
#include "model_config.pb.h"

namespace modelmill {

/// What the key `ensemble` says: one of the three, or none where there are problems.
struct YamlEnsemble {
  std::optional<CombinationDefinition> combination;
  /// Steps that have conditions, for which Triton's configuration has no field.
  std::optional<std::vector<EnsembleStep>> pipeline;
  std::optional<inference::ModelEnsembling> scheduling;
};

/// Reads a value that has passed check_yaml(). What its rules can't tell is added to `problems`.
YamlEnsemble ensemble_of_yaml(const YAML::Node& ensemble, const std::string& file,
                              std::vector<ConfigProblem>& problems);

}  // namespace modelmill
