#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

/// The arguments of `modelmill rollout`.
void define_rollout_arguments(CLI::App& app, OptionSet& options, RolloutCommand& command);

/// What is wrong with them together; empty: nothing.
std::string rollout_arguments_problem(const RolloutCommand& command);

}  // namespace modelmill
