#pragma once

#include <memory>

#include "dialect/kserve_v2/model_queries.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// Adds the methods of GRPCInferenceService that ask how the server and its models are.
void add_control_methods(wire::GrpcMethods& methods, std::shared_ptr<const ModelQueries> queries);

/// "/inference.GRPCInferenceService/<method>".
std::string method_path(std::string_view method);

}  // namespace modelmill::kserve_v2
