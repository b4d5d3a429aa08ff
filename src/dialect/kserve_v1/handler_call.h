#pragma once

#include <memory>
#include <string>

#include "catalog/model_version.h"
#include "dialect/http_options.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::kserve_v1 {

/// Answers a request of KServe V1 that a handler of TorchServe's gets as it is, as TorchServe gives it to its handlers
/// below KServe: the whole body goes in, and what the handler returns is the reply's body. `explain` asks for an
/// explanation; a model that is no handler gives none, which is UNIMPLEMENTED. Errors are {"error": "..."}.
/// `routed`: the way that led to the version. `inference` must outlive the exchange.
void handle_by_handler(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                       VersionPin pin, bool explain, const HttpOptions& options, RoutedRequestPtr routed = nullptr);

}  // namespace modelmill::kserve_v1
