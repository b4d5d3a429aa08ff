#pragma once

#include <vector>

#include "model/config_problem.h"
#include "repository/declared_routes.h"

namespace modelmill {

/// What is wrong with the rollouts and experiments that files declare, in themselves: gates, steps, metrics. What they
/// are about may be made later.
std::vector<ConfigProblem> check_wishes(const DeclaredRoutes& declared);

}  // namespace modelmill
