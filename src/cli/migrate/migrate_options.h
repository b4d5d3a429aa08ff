#pragma once

#include <string>

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

void define_migrate_options(CLI::App& app, OptionSet& options, MigrateCommand& command);
/// What is wrong with them together; empty when nothing is.
std::string migrate_options_problem(const MigrateCommand& command);

}  // namespace modelmill
