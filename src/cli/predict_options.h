#pragma once

#include "cli/command_line.h"
#include "cli/option_set.h"

namespace modelmill {

/// `json`: the flag --json was given.
void define_predict_options(CLI::App& app, OptionSet& options, PredictCommand& command, bool& json);
/// How the answer is written: as --format or --json says, or else the ending of --output.
void settle_predict_format(const CLI::App& app, bool json, PredictCommand& command);

}  // namespace modelmill
