#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "experiment/experiment_definition.h"
#include "experiment/exposed_users.h"

namespace modelmill {

/// So many outcomes may come at once.
inline constexpr size_t kMostOutcomes = 10'000;

/// From JSON: one outcome, a list of them, or {"outcomes": [...]}. Each has "user" or "request", and if wanted "metric"
/// (the goal when absent), "value" (1), "id" and "at" (seconds since 1970, or UTC as ISO 8601). `by_request`: there
/// are no users, each request stands for itself. INVALID_ARGUMENT says which outcome is wrong.
Result<std::vector<Outcome>> parse_outcomes(std::string_view json, const ExperimentDefinition& definition,
                                            bool by_request);

}  // namespace modelmill
