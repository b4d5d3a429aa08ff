#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "model/definition.h"
#include "repository/find_models.h"

namespace modelmill {

/// The plugin that runs a model's backend.
struct BackendPlugin {
  std::string backend;       // as plugins are named
  std::string default_file;  // the usual file in a version's folder; empty: the plugin's own
};

/// The plugin of the backend that the definition names. Triton's "fil" is the one backend without a plugin of its name:
/// `model_type` of its parameters tells whose trees they are, or else the file does. The definition's backend stays
/// "fil", by which the plugin knows how inputs and outputs are called there.
Result<BackendPlugin> plugin_of(const ModelDefinition& definition, const FoundVersion& version,
                                std::span<const ModelFormat> formats);

}  // namespace modelmill
