#pragma once

#include <string>

#include "catalog/model_version.h"

namespace modelmill::torchserve {

/// What there is of TorchServe's paths, in OpenAPI 3.0.1. JSON on one line.
std::string describe_all(const std::string& server_version);
/// How one model is asked.
std::string describe_model(const std::string& server_version, const std::string& model, const ModelVersion& version);

}  // namespace modelmill::torchserve
