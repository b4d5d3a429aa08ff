#pragma once

#include <cstddef>

#include "base/clock.h"

namespace modelmill {

/// Moves this process's anonymous memory that is used throughout into pages of 2 MB, each from where all of its small
/// pages are there, so that no memory is added: weights that are read from end to end cost fewer misses in the TLB.
/// Those that are huge already are left, and what `budget` is not enough for: 64 MB take some 20 ms. Returns the bytes
/// that are in such pages by it now; 0 where the kernel can't (before Linux 6.1, or without transparent huge pages).
/// Reads and writes by others go on meanwhile. Linux: MADV_COLLAPSE.
size_t use_huge_pages(Duration budget);

}  // namespace modelmill
