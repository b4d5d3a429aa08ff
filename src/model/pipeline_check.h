#pragma once

#include <cstddef>
#include <vector>

#include "model/config_check.h"
#include "model/definition.h"

namespace modelmill {

/// Of each step of a pipeline the steps that write what it writes, in their order, itself among them: at most one of
/// them runs. Those of steps without alternatives have one.
std::vector<std::vector<size_t>> alternatives_of(const std::vector<EnsembleStep>& steps);

/// Rules that a pipeline with conditions breaks, as far as it can be told without its members. Pure.
std::vector<ConfigIssue> check_pipeline(const ModelDefinition& definition);

}  // namespace modelmill
