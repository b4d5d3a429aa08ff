#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "catalog/model_version.h"

namespace modelmill::invocations {

/// Whose request a body is (docs/cloud-platforms.md has the rules).
enum class BodyForm {
  kUnknown,
  kV2,         // KServe's V2 protocol, with or without binary tensors
  kTfServing,  // TensorFlow Serving's predict request
  kMlflow,     // that of MLflow's scoring server, in JSON
  kCsv,        // the same in CSV
};

/// What a body is, for a model that is asked so.
BodyForm form_of(std::string_view content_type, std::string_view body, const ModelVersion& version);

/// What a body may be, for those who sent another.
std::string known_forms();

}  // namespace modelmill::invocations
