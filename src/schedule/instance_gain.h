#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "schedule/concurrency_costs.h"

namespace modelmill {

/// How many times as many rows a second one instance more than `instances` would do, all at work on batches of so many
/// rows, by what was measured lately: of both numbers where both were, else at most so much as the last one brought,
/// for each brings less than the one before. nullopt: that is not known. Pure.
std::optional<double> gain_of_another(const ConcurrencyCosts& costs, int instances, int64_t rows, TimePoint now);

}  // namespace modelmill
