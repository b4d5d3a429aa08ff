#pragma once

#include <memory>

#include "dialect/kserve_v2/shared_regions.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// Adds what registers, lists and unregisters shared memory.
void add_shared_memory_methods(wire::GrpcMethods& methods, const std::shared_ptr<SharedRegions>& regions);

}  // namespace modelmill::kserve_v2
