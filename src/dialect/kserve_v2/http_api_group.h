#pragma once

#include "wire/api_group.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// What a request under /v2 is for, paths included that this server only refuses. It reads the path as the routes do,
/// so that no spelling of it slips into another group.
wire::ApiGroup http_api_group(const wire::HttpRequest& request);

}  // namespace modelmill::kserve_v2
