#pragma once

#include <memory>
#include <string>

#include "dialect/kserve_v2/model_queries.h"
#include "serve/trace/tracer.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// Answers GET and POST of trace/setting, of a model or of all (an empty name). `tracer` null: there is no tracing.
wire::HttpReply answer_trace_settings(Tracer* tracer, const ModelQueries& queries, const std::string& model,
                                      const wire::HttpRequest& request);

/// Adds the TraceSetting method. `tracer` must outlive the wire.
void add_trace_settings_method(wire::GrpcMethods& methods, Tracer* tracer, std::shared_ptr<const ModelQueries> queries);

}  // namespace modelmill::kserve_v2
