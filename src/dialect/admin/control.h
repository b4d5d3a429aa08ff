#pragma once

#include "catalog/catalog.h"
#include "catalog/experiment_control.h"
#include "catalog/model_control.h"
#include "catalog/rollout_control.h"
#include "catalog/route_control.h"
#include "catalog/weight_control.h"
#include "dialect/http_router.h"
#include "route/routes.h"
#include "runtime/offload.h"

namespace modelmill::admin {

/// What is changed under /admin.
struct Controls {
  const Catalog& catalog;
  ModelControl& models;
  RouteControl& routes;
  RolloutControl& rollouts;
  ExperimentControl& experiments;
  WeightControl& weights;
  Offload* offload = nullptr;
  const Routes* routes_in_force = nullptr;  // where the shadows of routes count; null: they are not told of
};

/// Adds /admin/models (models.h), /admin/routes (routes.h), /admin/rollouts (rollouts.h), /admin/experiments
/// (experiments.h) and /admin/ensembles (ensembles.h). What `controls` lead to must outlive the wire.
void add_control(HttpRouter& router, Controls controls);

}  // namespace modelmill::admin
