#pragma once

#include <string>

#include "catalog/catalog.h"
#include "dialect/http_router.h"
#include "runtime/metrics.h"

namespace modelmill::admin {

/// Adds GET /metrics (Prometheus text) and GET / (what this server is, its models and its endpoints, as text).
/// `catalog` and `metrics` must outlive the wire. Thread-safe once added.
void add_to(HttpRouter& router, const Catalog& catalog, const MetricRegistry& metrics, std::string server_version);

}  // namespace modelmill::admin
