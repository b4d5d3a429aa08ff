#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace modelmill {

/// The file's name for a key: one that can't leave its folder, hide, or be another key's. Letters, digits, '-', '_',
/// '.' and what is not ASCII stay readable. INVALID_ARGUMENT for a key that is empty, not UTF-8, or too long.
Result<std::string> entry_name(const std::string& key);

/// The key of a file's name; nullopt for files that are no entries.
std::optional<std::string> entry_key(const std::string& name);

}  // namespace modelmill
