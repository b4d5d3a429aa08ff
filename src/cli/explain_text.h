#pragma once

#include <string>

#include "base/result.h"

namespace modelmill {

/// What GET /explain/MODEL answered, for people.
Result<std::string> explain_text(const std::string& json);

}  // namespace modelmill
