#pragma once

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

void define_verify_options(CLI::App& app, OptionSet& options, VerifyCommand& command);

}  // namespace modelmill
