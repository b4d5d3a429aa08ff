#pragma once

#include <memory>

#include "catalog/model_control.h"
#include "dialect/http_options.h"
#include "dialect/http_router.h"
#include "dialect/tfserving/observers.h"
#include "dialect/tfserving/rest_path.h"
#include "serve/inference.h"
#include "wire/grpc.h"

namespace modelmill::tfserving {

/// Adds TensorFlow Serving's gRPC services, PredictionService and ModelService, and describes them for reflection.
/// `inference` and `control` must outlive the wire. `observers` are told what is answered.
void add_to(wire::GrpcMethods& methods, Inference& inference, ModelControl& control, const HttpOptions& options,
            const std::shared_ptr<Observers>& observers);

/// Adds TensorFlow Serving's REST interface at /v1, together with what KServe V1 has at the same paths, and each by
/// itself at /tfserving/v1 and /kserve/v1 (docs/tensorflow-serving.md has the rules), and the metrics of `observers` at
/// their path, whose first segment must be nobody else's. `at_v1`: who of the two is meant by the paths that begin with
/// /v1. `inference` must outlive the wire.
void add_to(HttpRouter& router, Inference& inference, const HttpOptions& options,
            const std::shared_ptr<Observers>& observers, Dialects at_v1 = Dialects::kBoth);

}  // namespace modelmill::tfserving
