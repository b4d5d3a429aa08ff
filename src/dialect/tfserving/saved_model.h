#pragma once

#include "catalog/model_version.h"

namespace modelmill::tfserving {

/// Whether it is TensorFlow's own kind of model, whatever runs it: one whose entry points have names.
inline bool is_saved_model(const ModelVersion& version) { return !version.description().signature_name.empty(); }

}  // namespace modelmill::tfserving
