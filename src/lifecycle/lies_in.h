#pragma once

#include <string>

namespace modelmill {

/// Whether a path is a folder, or below it, wherever links lead. Neither need be there. False when either is empty.
bool lies_in(const std::string& path, const std::string& folder);

}  // namespace modelmill
