#pragma once

#include <cstdint>

#include "base/status.h"
#include "storage/cache_paths.h"

namespace modelmill {

/// Removes from the cache until `needed` bytes more fit under `max_bytes`: first blobs that no tree links and partial
/// files that nobody loads, the least recently used first; then trees and unpacked archives that no process uses. What
/// is in use stays: RESOURCE_EXHAUSTED when that is too much. The caller holds the cache's lock.
Status make_cache_room(const CachePaths& paths, uint64_t max_bytes, uint64_t needed);

/// The bytes of blobs, partial files and unpacked archives.
uint64_t cache_bytes(const CachePaths& paths);

}  // namespace modelmill
