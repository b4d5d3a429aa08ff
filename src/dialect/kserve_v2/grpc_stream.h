#pragma once

#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// The ModelStreamInfer method: any number of requests in flight on one stream. Answers of models with one answer to a
/// request come in the order of the requests, as Triton sends them; those of decoupled models as they are made.
/// `inference` must outlive the wire.
wire::GrpcMethodFactory model_stream_infer_method(Inference& inference);

}  // namespace modelmill::kserve_v2
