#pragma once

#include <string>

#include "base/status.h"
#include "request/infer_request.h"

namespace modelmill::kserve_v2 {

/// Gives one entry of a request's `parameters` its meaning: the protocol's own (sequence_id, sequence_start,
/// sequence_end, priority, timeout) fill the request's fields, every other becomes a parameter for the model. Keys that
/// begin with "triton_" are refused; a dialect takes those it knows out before. HTTP and gRPC alike.
Status apply_request_parameter(std::string name, ParameterValue value, InferRequest& request);

}  // namespace modelmill::kserve_v2
