#pragma once

#include <CLI/App.hpp>

#include "cli/option_set.h"
#include "server/server_config.h"

namespace modelmill {

/// The arguments and options of `modelmill serve`, which fill `config`.
void define_serve_options(CLI::App& app, OptionSet& options, ServerConfig& config);

}  // namespace modelmill
