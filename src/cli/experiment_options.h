#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

/// The arguments of `modelmill experiment`.
void define_experiment_arguments(CLI::App& app, OptionSet& options, ExperimentCommand& command);

/// What is wrong with them together; empty: nothing.
std::string experiment_arguments_problem(const ExperimentCommand& command);

}  // namespace modelmill
