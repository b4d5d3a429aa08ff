#pragma once

#include <memory>

#include "dialect/tfserving/observers.h"
#include "runtime/offload.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::tfserving {

/// Adds Classify, Regress and MultiInference of tensorflow.serving.PredictionService. `inference` must outlive the
/// wire, and so must `offload`, which reads examples that are much for a loop (null: the loop does).
void add_example_methods(wire::GrpcMethods& methods, Inference& inference, Offload* offload,
                         const std::shared_ptr<Observers>& observers);

}  // namespace modelmill::tfserving
