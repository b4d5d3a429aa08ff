#pragma once

#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// The ModelInfer method: one request, one answer. `inference` must outlive the wire, and so must `offload`, which
/// reads typed contents that are much for a loop (null: the loop does).
wire::GrpcMethodFactory model_infer_method(Inference& inference, bool server_timing = false,
                                           Offload* offload = nullptr);

}  // namespace modelmill::kserve_v2
