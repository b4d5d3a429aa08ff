#pragma once

#include <memory>

#include "catalog/model_control.h"
#include "dialect/http_options.h"
#include "dialect/kserve_v2/model_queries.h"
#include "dialect/kserve_v2/settings.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// Answers whatever path begins with /v2. `inference` and `control` (null: nobody loads models) must
/// outlive the wire.
wire::HttpHandler make_http_handler(Inference& inference, std::shared_ptr<const ModelQueries> queries,
                                    Settings settings, ModelControl* control, HttpOptions options);

}  // namespace modelmill::kserve_v2
