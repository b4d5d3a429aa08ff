#pragma once

#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// The ModelInfer method: one request, one answer. `inference` must outlive the wire.
wire::GrpcMethodFactory model_infer_method(Inference& inference, bool server_timing = false);

}  // namespace modelmill::kserve_v2
