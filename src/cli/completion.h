#pragma once

#include <string>
#include <string_view>

namespace modelmill {

/// A script for `shell` ("bash", "zsh" or "fish") that completes modelmill's commands, options, choices and files, made
/// from the definitions that parse the command line.
std::string completion_script(std::string_view shell);

}  // namespace modelmill
