#pragma once

#include <string>

#include "grpc_service.pb.h"

namespace modelmill::kserve_v2 {

/// The protocol's answers in the JSON that its HTTP side has for them.
std::string to_json(const inference::ServerMetadataResponse& metadata);
std::string to_json(const inference::ModelMetadataResponse& metadata);
std::string to_json(const inference::ModelStatisticsResponse& statistics);
std::string to_json(const inference::RepositoryIndexResponse& index);

}  // namespace modelmill::kserve_v2
