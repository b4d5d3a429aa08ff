#pragma once

#include <memory>

#include "dialect/kserve_v2/shared_regions.h"
#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// The ModelInfer method: one request, one answer. `inference` must outlive the wire, and so must `offload`, which
/// reads what is much for a loop (null: the loop does).
wire::GrpcMethodFactory model_infer_method(Inference& inference, bool server_timing, Offload* offload,
                                           std::shared_ptr<const SharedRegions> regions);

}  // namespace modelmill::kserve_v2
