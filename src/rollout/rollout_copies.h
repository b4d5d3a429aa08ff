#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "model/route_definition.h"
#include "rollout/rollout_document.h"

namespace modelmill {

/// The shadow by which a rollout compares answers at a step: the canary, of what the baseline answers, at a shadow's
/// step; the baseline, of all that the canary answers, at the others below 100% where a gate is about disagreement.
/// nullopt: nothing is copied.
std::optional<RouteShadow> shadow_at(const Rollout& rollout, size_t step);

/// The share of all requests that is computed a second time for that, in percents, as the split has it.
double copied_percent(const Rollout& rollout, size_t step);

/// What that costs at all steps together, for people; empty: nothing.
std::string copies_cost_text(const Rollout& rollout);
/// And at the one where it is.
std::string copies_cost_now_text(const Rollout& rollout);

/// What is in force at a step. `base`: the route as it is without the rollout, the others' shares of which stay as they
/// are among each other. The rollout's shadow takes the place of another one of its target.
RouteDefinition route_at(const Rollout& rollout, const RouteDefinition& base, size_t step);
/// The route as it is without the rollout; of a model, the one that leads to its baseline.
RouteDefinition base_route(const Rollout& rollout);

}  // namespace modelmill
