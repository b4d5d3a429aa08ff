#pragma once

#include <CLI/App.hpp>
#include <string>

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

/// The arguments of `modelmill route`.
void define_route_arguments(CLI::App& app, OptionSet& options, RouteCommand& command);

/// What is wrong with them together; empty: nothing.
std::string route_arguments_problem(const RouteCommand& command);

}  // namespace modelmill
