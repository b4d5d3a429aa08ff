#include "dialect/admin/control.h"

#include <span>
#include <string>
#include <utility>

#include "dialect/admin/ensembles.h"
#include "dialect/admin/experiments.h"
#include "dialect/admin/models.h"
#include "dialect/admin/rollouts.h"
#include "dialect/admin/routes.h"

namespace modelmill::admin {
namespace {

void handle(const Controls& controls, std::shared_ptr<wire::HttpExchange> exchange) {
  const auto path = split_path(exchange->request().path);
  if (!path.ok()) return exchange->reply(error_reply(path.status()));
  const auto rest = std::span(*path).subspan(1);
  if (!rest.empty() && rest[0] == "routes")
    return handle_routes({controls.routes, controls.routes_in_force}, controls.offload, std::move(exchange),
                         rest.subspan(1));
  if (!rest.empty() && rest[0] == "rollouts")
    return handle_rollouts(controls.rollouts, controls.offload, std::move(exchange), rest.subspan(1));
  if (!rest.empty() && rest[0] == "experiments")
    return handle_experiments(controls.experiments, controls.offload, std::move(exchange), rest.subspan(1));
  if (!rest.empty() && rest[0] == "ensembles")
    return handle_ensembles(controls.weights, controls.offload, std::move(exchange), rest.subspan(1));
  handle_models(controls.catalog, controls.models, std::move(exchange), rest);
}

/// Worst answers of shadows have what users sent.
bool shows_inputs(const wire::HttpRequest& request) {
  const auto path = split_path(request.path);
  return path.ok() && path->size() == 4 && (*path)[1] == "routes" && (*path)[3] == "shadow";
}

}  // namespace

void add_control(HttpRouter& router, Controls controls) {
  router.add(
      "admin", [controls](std::shared_ptr<wire::HttpExchange> exchange) { handle(controls, std::move(exchange)); },
      [](const wire::HttpRequest& request) {
        return request.method == "GET" && !shows_inputs(request) ? wire::ApiGroup::kMetadata
                                                                 : wire::ApiGroup::kManagement;
      });
}

}  // namespace modelmill::admin
