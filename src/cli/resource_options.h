#pragma once

#include <CLI/App.hpp>

#include "cli/option_set.h"
#include "model/execution_resources.h"

namespace modelmill {

/// The options of `serve` that say what executions share.
void define_resource_options(CLI::App& app, OptionSet& options, ResourceSettings& resources);

}  // namespace modelmill
