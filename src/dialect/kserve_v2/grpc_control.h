#pragma once

#include <memory>

#include "dialect/kserve_v2/model_queries.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// Adds every method of GRPCInferenceService but the inferences: what they ask is small and answered at once, through
/// the generated messages.
void add_control_methods(wire::GrpcMethods& methods, std::shared_ptr<const ModelQueries> queries);

/// "/inference.GRPCInferenceService/<method>".
std::string method_path(std::string_view method);

}  // namespace modelmill::kserve_v2
