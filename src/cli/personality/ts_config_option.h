#pragma once

#include <CLI/App.hpp>

#include "cli/option_set.h"
#include "server/server_config.h"

namespace modelmill {

/// `--ts-config` of `modelmill serve`: the file is read first, and what else is given counts more.
CLI::Option& define_ts_config_option(CLI::App& app, OptionSet& options, ServerConfig& config);

}  // namespace modelmill
