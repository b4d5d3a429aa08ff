#pragma once

#include <memory>

#include "dialect/http_options.h"
#include "dialect/tfserving/observers.h"
#include "dialect/tfserving/rest_path.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::tfserving {

/// Answers a predict, classify or regress request, asked of the version that `pin` has (an error: there is none), and
/// tells `observers` of it.
void handle_rest_inference(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, const RestPath& path,
                           Result<VersionPin> pin, const HttpOptions& options, std::shared_ptr<Observers> observers,
                           RoutedRequestPtr routed = nullptr);

}  // namespace modelmill::tfserving
