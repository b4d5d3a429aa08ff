#pragma once

#include <memory>

#include "dialect/http_options.h"
#include "dialect/kserve_v2/shared_regions.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::kserve_v2 {

/// The ModelInfer method: one request, one answer. `inference` must outlive the wire. Of `options` all counts but what
/// is compressed, which is gRPC's own.
wire::GrpcMethodFactory model_infer_method(Inference& inference, const HttpOptions& options,
                                           std::shared_ptr<const SharedRegions> regions);

}  // namespace modelmill::kserve_v2
