#pragma once

#include <CLI/App.hpp>

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

/// What help, reference and completion say of a command.
CommandText command_text(const CLI::App& app, const OptionSet& options);

}  // namespace modelmill
