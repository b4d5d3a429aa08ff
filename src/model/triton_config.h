#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/config_problem.h"
#include "model/definition.h"
#include "model/model_layer.h"
#include "model_config.pb.h"

namespace modelmill {

/// The histogram whose buckets a model may choose, in its model_metrics.
inline constexpr std::string_view kFirstResponseFamily = "nv_inference_first_response_histogram_ms";

/// Reads a `config.pbtxt`. Errors are INVALID_ARGUMENT (or UNIMPLEMENTED for a feature that this server lacks) and
/// begin with "file:line:column: " where the text has a place to point to; misspelt fields and values come with a
/// suggestion. What is optional in the file stays open in the definition; completing it is the loading's business.
Result<ModelDefinition> parse_triton_config(std::string_view text, const std::string& file);

/// What a `config.pbtxt` says, not yet held against the rules. nullopt when it can't be read; `problems` tells all that
/// is wrong with it.
std::optional<ModelLayer> triton_layer(std::string_view text, const std::string& file,
                                       std::vector<ConfigProblem>& problems);

/// What a `config.pbtxt` says beside the fields that aren't known; nullopt when more than those is wrong with it.
std::optional<ModelLayer> known_triton_fields(std::string_view text, const std::string& file);

/// The definition of a configuration that keeps the rules (check_triton_config).
ModelDefinition to_definition(const inference::ModelConfig& config, bool max_batch_size_given);

/// The same as parse_triton_config() from a message, e.g. one that came with a load request. proto3 can't tell
/// `max_batch_size: 0` from none, so the caller says which it is.
Result<ModelDefinition> definition_from_triton_config(const inference::ModelConfig& config, bool max_batch_size_given);

/// The complete configuration of a loaded version: what its own file said, and everything else filled in the way Triton
/// does. `definition` is the completed one of ModelVersion, `signature` what clients see (whole shapes; the batch
/// dimension is left out of `dims` when max_batch_size is above 0). An empty signature leaves the tensors as
/// configured.
inference::ModelConfig complete_triton_config(const ModelDefinition& definition, const Signature& signature);

/// A ModelConfig as the JSON that Triton's config endpoint returns: original field names, every scalar field present,
/// and 64-bit integers as numbers.
std::string triton_config_json(const inference::ModelConfig& config);

/// The backend that a `platform` of Triton stands for ("onnxruntime_onnx" is "onnxruntime"); empty when unknown.
std::string backend_of_platform(std::string_view platform);

/// The platform that Triton shows for a backend, or empty.
std::string platform_of_backend(std::string_view backend);

/// OK when `name` can be a model's name: it is a path segment of URLs and of repositories.
Status check_model_name(std::string_view name);

}  // namespace modelmill
