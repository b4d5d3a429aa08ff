#pragma once

#include "dialect/http_options.h"
#include "dialect/http_router.h"
#include "serve/inference.h"

namespace modelmill::mlserver {

/// Serves the paths that classes derived from mlserver.MLModel have of their own, which @custom_handler marks, as far
/// as nobody else owns them. The code behind an open signature is asked for its paths when the first request comes that
/// may be one, and once. All must outlive the wire.
void add_custom_routes(HttpRouter& router, Inference& inference, HttpOptions options);

}  // namespace modelmill::mlserver
