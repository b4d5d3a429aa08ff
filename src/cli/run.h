#pragma once

#include <string>
#include <vector>

namespace modelmill {

/// The whole program: reads the arguments (without the program's name), runs the command, and returns the exit code.
/// Answers go to standard output, complaints and the log to standard error. `program` is the name or path by which it
/// was called: that of another model server makes it stand in for that one.
int run_command_line(const std::string& program, const std::vector<std::string>& arguments);

}  // namespace modelmill
