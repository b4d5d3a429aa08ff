#pragma once

#include <CLI/App.hpp>

#include "cli/option_set.h"
#include "lifecycle/control_settings.h"

namespace modelmill {

/// The options of `serve` that say how models come and go while it runs.
void define_control_options(CLI::App& app, OptionSet& options, ControlSettings& control);

}  // namespace modelmill
