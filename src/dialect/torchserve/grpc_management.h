#pragma once

#include <memory>

#include "dialect/torchserve/management.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::torchserve {

/// Adds org.pytorch.serve.grpc.management.ManagementAPIsService. `inference` must outlive the wire.
void add_management_methods(wire::GrpcMethods& methods, Inference& inference,
                            const std::shared_ptr<const Management>& management);

}  // namespace modelmill::torchserve
