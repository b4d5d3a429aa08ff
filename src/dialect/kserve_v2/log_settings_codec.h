#pragma once

#include <memory>

#include "dialect/kserve_v2/log_settings.h"
#include "wire/grpc.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// Answers GET and POST of /v2/logging.
wire::HttpReply answer_log_settings(LogSettings& settings, const wire::HttpRequest& request);

/// Adds the LogSettings method.
void add_log_settings_method(wire::GrpcMethods& methods, const std::shared_ptr<LogSettings>& settings);

}  // namespace modelmill::kserve_v2
