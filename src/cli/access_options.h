#pragma once

#include <CLI/App.hpp>

#include "cli/option_set.h"
#include "server/access/access_config.h"

namespace modelmill {

/// The options of `modelmill serve` that say who may call what.
void define_access_options(CLI::App& app, OptionSet& options, AccessConfig& access);

}  // namespace modelmill
