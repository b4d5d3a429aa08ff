#pragma once

#include <string>

#include "catalog/catalog.h"
#include "dialect/http_router.h"

namespace modelmill::admin {

/// The answer to GET /explain/MODEL[/versions/V]: why a model runs as it does.
wire::HttpReply explain(const Catalog& catalog, const wire::HttpRequest& request);

/// Its body; docs/protocols.md describes it.
std::string explain_json(const ModelVersion& version);

}  // namespace modelmill::admin
