#pragma once

#include "base/status.h"
#include "catalog/model_version.h"
#include "request/infer_request.h"

namespace modelmill {

/// Holds a request against the signature of the version that is to run it: the names of its inputs and of the outputs
/// it asks for, types, shapes with the batch dimension, and bytes; of an open signature whether bytes and shapes fit.
/// When that is OK the inputs stand in the signature's order and `batch_rows` is set. INVALID_ARGUMENT otherwise, in
/// Triton's words, which clients match on; what they lack to be acted on is added behind.
Status check_inputs(const ModelVersion& version, InferRequest& request);

/// True when inputs and outputs have a batch dimension in front (the configuration's max_batch_size is above 0).
bool has_batch_dimension(const ModelDefinition& definition);

}  // namespace modelmill
