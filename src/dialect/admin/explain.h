#pragma once

#include <string>

#include "catalog/catalog.h"
#include "dialect/http_router.h"
#include "route/routes.h"

namespace modelmill::admin {

/// The answer to GET /explain/MODEL[/versions/V]: why a model runs as it does. `routes` may be null.
/// A route's name stands for the version with its largest share.
wire::HttpReply explain(const Catalog& catalog, const Routes* routes, const wire::HttpRequest& request);

/// Its body; docs/protocols.md describes it.
std::string explain_json(const ModelVersion& version, const Routes* routes = nullptr);

}  // namespace modelmill::admin
