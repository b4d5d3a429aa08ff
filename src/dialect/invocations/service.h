#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "catalog/model_control.h"
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
  /// Where the models of a multi-model endpoint of SageMaker's may lie, and who loads them; none: it is no such
  /// endpoint, and the paths that begin with /models are another's.
  std::vector<std::string> multi_model_folders = {};
  ModelControl* control = nullptr;
};

/// Adds what SageMaker, Vertex AI and MLflow's scoring server have (docs/cloud-platforms.md): POST /invocations, GET
/// /health and /version, the paths of `options.routes`, and those of a multi-model endpoint (multi_model.h). The last
/// to be added, so that it is known which of these are others'. `inference` must outlive the wire.
void add_to(HttpRouter& router, Inference& inference, Options options);

}  // namespace modelmill::invocations
