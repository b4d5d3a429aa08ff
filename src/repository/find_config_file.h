#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "model/model_layer.h"
#include "model/tf_serving_config.h"
#include "repository/find_models.h"

namespace modelmill {

/// The models of TensorFlow Serving's --model_config_file: each `base_path` holds numbered folders, with or without
/// leading zeros. Relative paths are those of the working directory; URLs are opened as `options` say. An error when
/// the file can't be read as a whole; what is wrong with an entry is that model's problem. `batching` (of
/// --batching_parameters_file, or null) is said of each model, below what the file says.
Result<FoundModels> find_models_of_config_file(const std::string& path, std::span<const ModelFormat> formats,
                                               const ModelLayer* batching = nullptr, const FindOptions& options = {});

/// The models of a list. `file`: it is in; empty: a client sent it.
FoundModels find_listed_models(TfServingConfig list, const std::string& file, std::span<const ModelFormat> formats,
                               const ModelLayer* batching, const FindOptions& options);

}  // namespace modelmill
