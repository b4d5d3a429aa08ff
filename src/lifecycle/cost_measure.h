#pragma once

#include <string>
#include <vector>

#include "backend/backend_model.h"
#include "base/clock.h"
#include "catalog/learned_cost.h"
#include "lifecycle/direct_run.h"

namespace modelmill {

/// What executions of 1, 2, 4 ... `max_rows` rows take on an instance that nobody else uses: each size a few times, for
/// as long as `budget` is likely to hold. `row` is a request of one row. Ends early at a size that fails.
std::vector<CostPoint> measure_costs(BackendInstance& instance, const std::string& model, int64_t version,
                                     const DirectRequest& row, int64_t max_rows, Duration budget, TimeSource& time);

}  // namespace modelmill
