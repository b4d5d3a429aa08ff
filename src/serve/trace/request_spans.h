#pragma once

#include <memory>

#include "catalog/model_version.h"
#include "otlp/span_exporter.h"
#include "request/infer_request.h"
#include "serve/routed_request.h"

namespace modelmill {

/// Has the span of a client's request recorded from here to its last answer, and makes it the request's place in its
/// trace: in that of the caller, or in `trace` where there is none. `routed`: the way it goes; null: none.
void record_request(const std::shared_ptr<SpanExporter>& exporter, const TraceId& trace, InferRequest& request,
                    RoutedRequestPtr routed);

/// The same of a request to a model, which is the client's or a part of it: a span of the model, and one of its
/// computing.
void record_model(const std::shared_ptr<SpanExporter>& exporter, const ModelVersion& version, InferRequest& request);

}  // namespace modelmill
