#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "base/clock.h"
#include "catalog/learned_cost.h"
#include "lifecycle/direct_run.h"

namespace modelmill {

/// The rows of executions that are worth measuring: the `allowed` sizes, or without any 1, 2, 4 ... `max_rows`. Pure.
std::vector<int64_t> sizes_to_measure(int64_t max_rows, const std::vector<int64_t>& allowed);

/// What executions of so many rows, ascending, take on an instance that nobody else uses: each size a few times, for as
/// long as `budget` is likely to hold. `row` is a request of one row. Ends early at a size that fails.
std::vector<CostPoint> measure_costs(BackendInstance& instance, const std::string& model, int64_t version,
                                     const DirectRequest& row, std::span<const int64_t> sizes, Duration budget,
                                     TimeSource& time);

}  // namespace modelmill
