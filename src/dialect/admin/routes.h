#pragma once

#include <memory>
#include <span>
#include <string>

#include "catalog/route_control.h"
#include "route/routes.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::admin {

/// The routes that are asked about, and changed.
struct RouteAccess {
  RouteControl& control;
  const Routes* in_force;  // null: nothing is told of shadows
};

/// Answers a request under /admin/routes; `path` is what follows. What blocks is the offload's, or, without one (null),
/// the loop's.
///   GET                        the routes, and who changed each last
///   GET, PUT, DELETE NAME      one of them; PUT's body is the route as routes of modelmill.yaml have it
///   GET NAME/history           its changes, newest first, also of one that was deleted
///   POST NAME/undo             takes the last change back
///   GET NAME/shadow            its shadows, with their worst answers
void handle_routes(RouteAccess routes, Offload* offload, std::shared_ptr<wire::HttpExchange> exchange,
                   std::span<const std::string> path);

}  // namespace modelmill::admin
