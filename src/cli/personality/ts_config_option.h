#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "cli/option_set.h"
#include "server/server_config.h"

namespace modelmill {

/// Has `config` as a command line of `serve` says.
Status apply_serve_arguments(std::vector<std::string> arguments, ServerConfig& config);

/// `--ts-config` of `modelmill serve`: the file is read first, and what else is given counts more.
CLI::Option& define_ts_config_option(CLI::App& app, OptionSet& options, ServerConfig& config);

}  // namespace modelmill
