#pragma once

#include <string>

#include "catalog/catalog.h"
#include "wire/http.h"

namespace modelmill::description {

/// Answers the paths by which MLServer describes V2, and gives all others to `v2`: /v2/docs, a page for browsers,
/// /v2/docs/dataplane.json, which is OpenAPI 3.1, and both below /v2/models/MODEL[/versions/V] for what one model is
/// asked. `catalog` must outlive the wire.
wire::HttpHandler with_v2_docs(wire::HttpHandler v2, const Catalog& catalog, std::string server_version);

}  // namespace modelmill::description
