#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "cli/command_line.h"

namespace modelmill {

/// Shows a rollout again and again until it is over or the user has seen enough: as a live table on a terminal, a line
/// each time it has changed elsewhere, or each look's JSON. False: it ended, and the canary was not promoted. `look`
/// gives the server's answer.
Result<bool> watch_rollout(const RolloutCommand& command, const std::function<Result<std::string>()>& look);

}  // namespace modelmill
