#pragma once

#include <string>

#include "catalog/model_version.h"

namespace modelmill::tfserving {

/// Whether it is TensorFlow's own kind of model, whatever runs it: one whose entry points have names.
inline bool is_saved_model(const ModelVersion& version) { return !version.description().signature_name.empty(); }

/// What runs it, by the name that TensorFlow Serving's metrics have for TensorFlow's graphs.
inline std::string runtime_of(const ModelDefinition& definition) {
  return definition.backend == "tensorflow" ? "TF1" : definition.backend;
}
inline std::string runtime_of(const ModelVersion& version) { return runtime_of(version.definition()); }

}  // namespace modelmill::tfserving
