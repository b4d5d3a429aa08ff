#pragma once

#include "cli/option_set.h"
#include "server/server_config.h"

namespace modelmill {

/// The options of models that are code, Python first.
void define_python_options(CLI::App& app, OptionSet& options, ServerConfig& config);

}  // namespace modelmill
