#pragma once

#include <functional>
#include <string>

#include "cli/personality/personality.h"

namespace modelmill::personality {

/// The file that notes which process is torchserve's server: of this machine's folder for temporary files, as there.
std::string torchserve_pid_file(const Environment& environment);

/// Runs `serve` in this process, or in one of its own that outlives this one, and notes which. The exit code; 1 where a
/// server is running that the file names.
int start_torchserve(const std::string& pid_file, bool foreground, const std::function<int()>& serve);

/// Asks the server that the file names to stop. `wait`: until it has, a minute at most. The exit code.
int stop_torchserve(const std::string& pid_file, bool wait);

}  // namespace modelmill::personality
