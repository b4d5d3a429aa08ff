#pragma once

#include <functional>
#include <string>

#include "catalog/catalog.h"
#include "dialect/http_router.h"
#include "route/routes.h"
#include "runtime/metrics.h"

namespace modelmill::admin {

/// Adds GET /metrics (Prometheus text) and GET /explain/MODEL (explain.h). `routes` may be null; `more_metrics`, which
/// may be too, is what the page of metrics begins with. All of them must outlive the wire. Thread-safe once added.
void add_to(HttpRouter& router, const Catalog& catalog, const MetricRegistry& metrics, const Routes* routes = nullptr,
            std::function<std::string()> more_metrics = nullptr);

}  // namespace modelmill::admin
