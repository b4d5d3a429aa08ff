#pragma once

#include <string>

#include "base/result.h"

namespace modelmill {

/// What is in a file, or, of "-", on standard input. `remedy` ends the error of a file that can't be read: "name a file
/// that has the route as JSON, or give the JSON".
Result<std::string> input_text(const std::string& source, const std::string& remedy);

}  // namespace modelmill
