#pragma once

#include <vector>

#include "model/config_check.h"
#include "model_config.pb.h"

namespace modelmill {

/// The fields of a configuration that are accepted and have no effect here, each with the reason. Pure.
std::vector<ConfigIssue> fields_without_effect(const inference::ModelConfig& config);

}  // namespace modelmill
