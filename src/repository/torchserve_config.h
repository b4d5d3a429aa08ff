#pragma once

#include <yaml-cpp/yaml.h>

#include <string>
#include <vector>

#include "model/config_problem.h"
#include "model/model_layer.h"

namespace modelmill {

/// What TorchServe's model-config.yaml says to the server: workers, batches, the device, times. Its other keys are the
/// handler's. What is wrong is added to `problems`.
ModelLayer read_torchserve_config(const std::string& file, std::vector<ConfigProblem>& problems);

/// The same of its keys, wherever they are written.
ModelLayer torchserve_layer(const YAML::Node& keys, const std::string& place, std::vector<ConfigProblem>& problems);

}  // namespace modelmill
