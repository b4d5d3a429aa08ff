#pragma once

#include <CLI/App.hpp>

#include "cli/option_set.h"
#include "server/server_config.h"

namespace modelmill {

/// The options of `modelmill serve` that say who may call what, and what clients may use of this machine.
void define_access_options(CLI::App& app, OptionSet& options, ServerConfig& config);

}  // namespace modelmill
