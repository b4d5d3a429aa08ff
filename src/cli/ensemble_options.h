#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

/// The arguments of `modelmill ensemble`.
void define_ensemble_arguments(CLI::App& app, OptionSet& options, EnsembleCommand& command);

/// What is wrong with them together; empty: nothing.
std::string ensemble_arguments_problem(const EnsembleCommand& command);

}  // namespace modelmill
