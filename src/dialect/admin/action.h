#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/experiment_control.h"
#include "catalog/model_control.h"
#include "catalog/rollout_control.h"
#include "catalog/route_control.h"
#include "route/routes.h"
#include "runtime/offload.h"
#include "wire/api_group.h"

namespace modelmill::admin {

/// What is changed under /admin, and who does what blocks.
struct Controls {
  const Catalog& catalog;
  ModelControl& models;
  RouteControl& routes;
  RolloutControl& rollouts;
  ExperimentControl& experiments;
  Offload* offload = nullptr;               // null: the loop does it
  const Routes* routes_in_force = nullptr;  // where the shadows of routes count; null: they are not told of
};

/// What is asked of an action, by either protocol.
struct ActionCall {
  std::vector<std::string> names;  // for the parameters of its path
  Bytes body;                      // JSON, where it takes any
  std::string by;                  // who asks
};

/// What administration can do, one method of one path: the HTTP service and the gRPC service are two doors to it. The
/// answer is a JSON document.
struct Action {
  using Done = std::function<void(const Result<std::string>&)>;

  std::string_view method;  // "GET"
  std::string_view path;    // "/admin/routes/{route}"
  wire::ApiGroup group;
  /// What may block. Null: `begin` does it.
  Result<std::string> (*answer)(const Controls&, const ActionCall&) = nullptr;
  /// What does not, and is done later, on any thread. Or null.
  void (*begin)(const Controls&, const ActionCall&, Done) = nullptr;
};

/// All there are, those of one path together.
std::span<const Action> actions();

/// The segments of an action's path, such as "admin", "routes" and "{route}".
std::vector<std::string_view> segments_of(const Action& action);
/// What stands for the parameters of an action's path; nullopt: it is another path.
std::optional<std::vector<std::string>> match(const Action& action, std::span<const std::string> path);

/// Does it. `done` is called once, on any thread, or before this returns.
void begin_action(const Controls& controls, const Action& action, ActionCall call, Action::Done done);

}  // namespace modelmill::admin
