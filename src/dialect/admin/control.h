#pragma once

#include "dialect/admin/action.h"
#include "dialect/http_router.h"

namespace modelmill::admin {

/// Adds all actions() to HTTP, under /admin. What `controls` lead to must outlive the wire.
void add_control(HttpRouter& router, Controls controls);

}  // namespace modelmill::admin
