#pragma once

#include <string>
#include <vector>

namespace modelmill {

/// The whole program: reads the arguments (without the program's name), runs the command, and returns the exit code.
/// Answers go to standard output, complaints and the log to standard error.
int run_command_line(const std::vector<std::string>& arguments);

}  // namespace modelmill
