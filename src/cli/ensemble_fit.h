#pragma once

#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "cli/server_link.h"

namespace modelmill {

/// `modelmill ensemble fit`: asks every member for the inputs of a labelled file, finds the weights that suit the
/// labels best, and puts them in force where that is wanted. What is to be printed.
Result<std::string> fit_ensemble(const EnsembleCommand& command, ServerLink& link);

}  // namespace modelmill
