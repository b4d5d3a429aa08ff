#pragma once

#include <cstddef>
#include <functional>

#include "base/status.h"

namespace modelmill {

/// Calls work(0) ... work(count-1) on up to `threads` threads, the caller's among them, and returns when all that was
/// begun has ended. The first error is returned; after it nothing new is begun.
Status parallel_for(size_t count, size_t threads, const std::function<Status(size_t)>& work);

}  // namespace modelmill
