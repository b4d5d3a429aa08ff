#pragma once

#include <functional>
#include <memory>
#include <string>

#include "dialect/http_options.h"
#include "dialect/http_router.h"
#include "dialect/invocations/cloud_routes.h"
#include "dialect/kserve_v2/shared_regions.h"
#include "serve/inference.h"

namespace modelmill::invocations {

struct Options {
  std::string server_version;
  /// Every model that should be served is.
  std::function<bool()> ready;
  HttpOptions http = {};
  /// Of V2's requests.
  std::shared_ptr<const kserve_v2::SharedRegions> regions = {};
  /// The model or route of requests that name none; empty: the only model.
  std::string default_model = {};
  /// Paths that the environment gives to health and inference.
  CloudRoutes routes = {};
};

/// Adds what SageMaker, Vertex AI and MLflow's scoring server have (docs/cloud-platforms.md): POST /invocations, GET
/// /health and /version, and the paths of `options.routes`. The last to be added, so that it is known which of these
/// are others'. `inference` must outlive the wire.
void add_to(HttpRouter& router, Inference& inference, Options options);

}  // namespace modelmill::invocations
