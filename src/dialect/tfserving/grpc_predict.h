#pragma once

#include <memory>

#include "dialect/tfserving/observers.h"
#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::tfserving {

/// The Predict method: one request, one answer. `inference` must outlive the wire, and so must `offload`, which reads
/// values that are much for a loop (null: the loop does).
wire::GrpcMethodFactory predict_method(Inference& inference, bool server_timing, Offload* offload,
                                       std::shared_ptr<Observers> observers);

}  // namespace modelmill::tfserving
