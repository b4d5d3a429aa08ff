#pragma once

#include <vector>

#include "experiment/experiment_keeper.h"
#include "model/config_problem.h"
#include "repository/declared_routes.h"
#include "rollout/rollout_keeper.h"

namespace modelmill {

/// What is wrong with the rollouts and experiments that files declare, in themselves: gates, steps, metrics. What they
/// are about may be made later.
std::vector<ConfigProblem> check_wishes(const DeclaredRoutes& declared);

std::vector<RolloutDeclaration> rollouts_of(const DeclaredRoutes& declared);
std::vector<ExperimentDeclaration> experiments_of(const DeclaredRoutes& declared);

}  // namespace modelmill
