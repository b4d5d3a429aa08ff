#pragma once

#include <memory>
#include <string>

#include "dialect/http_options.h"
#include "dialect/kserve_v2/shared_regions.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// Answers one POST .../infer for the model and version (a text; empty: the default) that its path names.
/// Loop thread; `inference` and `regions` must outlive the exchange.
void handle_http_infer(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                       std::string_view version, const HttpOptions& options, RoutedRequestPtr routed,
                       const SharedRegions& regions);

}  // namespace modelmill::kserve_v2
