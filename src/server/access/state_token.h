#pragma once

#include <string>

#include "base/result.h"

namespace modelmill {

/// The file `token` in `directory`: the one that is there, or a new one with 256 random bits that its owner alone can
/// read. The folder is made when missing, for its owner alone. An error says which step failed.
Result<std::string> keep_state_token(const std::string& directory);

}  // namespace modelmill
