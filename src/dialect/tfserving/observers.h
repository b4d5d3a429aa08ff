#pragma once

#include <string>

#include "dialect/tfserving/request_log.h"
#include "dialect/tfserving/serving_metrics.h"

namespace modelmill::tfserving {

/// Who is told of what came by the protocol.
struct Observers {
  explicit Observers(RequestRecorder& recorder) : log(recorder) {}

  ServingMetrics metrics;
  std::string metrics_path = "/monitoring/prometheus/metrics";  // where clients read them
  const RequestLog log;
};

}  // namespace modelmill::tfserving
