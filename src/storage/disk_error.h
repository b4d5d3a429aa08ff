#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace modelmill {

/// Why the file could not be `done` ("written"), from errno. RESOURCE_EXHAUSTED when the disk, a quota or a limit is
/// full: then with the bytes that were needed (0: unknown), those that are free, and what to do.
Status disk_error(const std::string& path, const char* done, int error, uint64_t needed = 0);

}  // namespace modelmill
