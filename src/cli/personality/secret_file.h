#pragma once

#include <string>

#include "base/result.h"

namespace modelmill::personality {

/// A path under which this process, and no other user's, reads `text` for as long as it lives; nothing goes to a disk.
Result<std::string> keep_in_memory(const std::string& name, const std::string& text);

}  // namespace modelmill::personality
