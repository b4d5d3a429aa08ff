#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace modelmill {

/// Makes a folder that its owner alone can enter, and those above it, when it is missing. UNAVAILABLE names it.
Status make_private_folder(const std::string& folder);

/// A new file, in the place of one that may be there, that its owner alone can read; it is on the disk when this
/// returns. UNAVAILABLE names it.
Status write_private_file(const std::string& file, std::string_view text);

}  // namespace modelmill
