#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace modelmill {

/// Whether a key can be a path below a folder, and stays there: INVALID_ARGUMENT names the key and what is wrong. A
/// slash at the end, of a key that stands for a folder, is well.
Status check_object_key(std::string_view key);

/// The key as a message can show it: what can't be printed is escaped, and what is long is cut.
std::string shown_key(std::string_view key);

}  // namespace modelmill
