#pragma once

#include <memory>

#include "dialect/http_options.h"
#include "dialect/kserve_v2/shared_regions.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// The ModelStreamInfer method: any number of requests in flight on one stream. Answers of models with one answer to a
/// request come in the order of the requests, as Triton sends them; those of decoupled models as they are made.
/// `inference` must outlive the wire. Of `options` the offload and the forwarding count.
wire::GrpcMethodFactory model_stream_infer_method(Inference& inference, const HttpOptions& options,
                                                  std::shared_ptr<const SharedRegions> regions);

}  // namespace modelmill::kserve_v2
