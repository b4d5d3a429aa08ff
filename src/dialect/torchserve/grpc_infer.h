#pragma once

#include <memory>

#include "dialect/torchserve/metrics.h"
#include "dialect/torchserve/sequence_names.h"
#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::torchserve {

/// Adds Predictions and StreamPredictions of org.pytorch.serve.grpc.inference.InferenceAPIsService. `inference` must
/// outlive the wire, and so must `offload`, which reads values that are much for a loop (null: the loop does).
void add_inference_methods(wire::GrpcMethods& methods, Inference& inference, bool server_timing, Offload* offload,
                           const std::shared_ptr<TorchMetrics>& metrics, const SequenceNames& names = {});

}  // namespace modelmill::torchserve
