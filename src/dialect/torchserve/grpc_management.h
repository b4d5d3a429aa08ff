#pragma once

#include <memory>

#include "dialect/torchserve/management.h"
#include "wire/grpc.h"

namespace modelmill::torchserve {

/// Adds org.pytorch.serve.grpc.management.ManagementAPIsService.
void add_management_methods(wire::GrpcMethods& methods, const std::shared_ptr<const Management>& management);

}  // namespace modelmill::torchserve
