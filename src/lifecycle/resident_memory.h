#pragma once

#include <cstdint>

#include "repository/find_models.h"

namespace modelmill {

/// Memory that this process has now. 0 where the system doesn't tell.
uint64_t resident_bytes();

/// What a version's files hold together: a first guess of what it takes in memory.
uint64_t bytes_on_disk(const FoundVersion& version);

}  // namespace modelmill
