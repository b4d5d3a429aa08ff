#pragma once

#include "backend/backend_model.h"
#include "base/result.h"
#include "model/definition.h"

namespace modelmill {

/// What clients see of a model, once its configuration and its file agree.
struct MergedSignature {
  Signature signature;
  /// Inputs and outputs have a batch dimension in front because the configuration says so: max_batch_size is above 0,
  /// or it is not given and the configured dims are the model's without their first dimension.
  bool batch_declared = false;
};

/// Holds the configuration against what the model's file says and fills in what it leaves out, as Triton's backends do:
/// every configured tensor must exist with this type and shape, every input that the model needs must be configured if
/// any is, outputs may be left out. A configured [1] for a scalar becomes a reshape. INVALID_ARGUMENT names both sides.
Result<MergedSignature> merge_signature(ModelDefinition& definition, const BackendModelInfo& info);

}  // namespace modelmill
