#pragma once

#include <memory>

#include "dialect/torchserve/metrics.h"
#include "dialect/torchserve/sequence_names.h"
#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::torchserve {

/// StreamPredictions2: requests of any number of sequences, each answered with its sequence's id. Those of a sequence
/// run one after the other, in their order; those of several side by side. What goes wrong with a request is told in
/// its answer, and the stream goes on.
wire::GrpcMethodFactory predictions_stream_method(Inference& inference, Offload* offload,
                                                  std::shared_ptr<TorchMetrics> metrics, SequenceNames names);

}  // namespace modelmill::torchserve
