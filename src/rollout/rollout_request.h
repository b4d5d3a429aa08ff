#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/model_table.h"
#include "rollout/rollout_document.h"

namespace modelmill {

/// What a client asks of a rollout that is to begin.
struct RolloutRequest {
  std::string to, from;  // as written; `from` may be empty
  RolloutPlan plan;
  std::optional<RouteKey> sticky;
};

/// From JSON: "to", and if wanted "from", "steps", "hold", "gates", "min_requests" and "sticky". INVALID_ARGUMENT.
Result<RolloutRequest> parse_rollout_request(std::string_view json);

/// The same request in one form, whatever the order of its keys and the types of its values: what is equal is the same
/// wish. INVALID_ARGUMENT.
Result<std::string> rollout_plan_text(std::string_view json);

/// The rollout of `name`, before its first step: which arms it has, and that all its steps are routes that can be put
/// in force. `route`: the one of that name; null: the name must be a model's. NOT_FOUND, INVALID_ARGUMENT,
/// ALREADY_EXISTS for what serves already.
Result<Rollout> plan_rollout(const std::string& name, const RolloutRequest& request, const RouteDefinition* route,
                             const ModelTable& models);

}  // namespace modelmill
