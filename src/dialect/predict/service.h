#pragma once

#include "dialect/http_options.h"
#include "serve/inference.h"
#include "wire/api_group.h"
#include "wire/http.h"

namespace modelmill::predict {

/// The plain way in for people: POST /predict/MODEL[/versions/V] with JSON, CSV or .npy, and GET of the same path for a
/// text that says how. `inference` must outlive the wire. Thread-safe. For HttpRouter::add("predict", ...).
wire::HttpHandler make_handler(Inference& inference, HttpOptions options = {});
/// Asking is inference, the text is metadata.
wire::ApiGroup http_api_group(const wire::HttpRequest& request);

}  // namespace modelmill::predict
