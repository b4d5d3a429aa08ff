#pragma once

#include <memory>
#include <string>

#include "dialect/http_options.h"
#include "dialect/torchserve/metrics.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::torchserve {

/// What an inference's path asks for.
struct InferPath {
  std::string model;
  std::string version = {};   // as the client wrote it; empty: none
  std::string url_path = {};  // what else the path has; handlers get it as a header
  bool explain = false;
};

/// Answers an inference, asked of the version that `pin` has, and counts it in `metrics`. Answers of a handler that
/// gives several leave as they are made.
void handle_rest_inference(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const InferPath& path,
                           Result<VersionPin> pin, const HttpOptions& options, std::shared_ptr<TorchMetrics> metrics,
                           RoutedRequestPtr routed = nullptr);

}  // namespace modelmill::torchserve
