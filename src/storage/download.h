#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "storage/blob_cache.h"
#include "storage/object_store.h"

namespace modelmill {

/// How one object comes here.
struct DownloadOptions {
  uint64_t chunk_bytes = uint64_t{8} << 20;
  size_t parallelism = 8;
  /// Bytes that have come, or that were here already; from several threads at once.
  std::function<void(uint64_t bytes)> on_bytes = [](uint64_t) {};
};

/// Puts the object's content at `target`: out of the cache, or by loading it in parallel chunks, going on where an
/// earlier process ended. DATA_LOSS when what came is not what its checksums say; ABORTED when the object changed
/// while it was read. After either nothing of it is left.
Status download(ObjectStore& store, const RemoteObject& object, const BlobCache& cache, const std::string& target,
                const DownloadOptions& options, const std::atomic<bool>& cancelled);

}  // namespace modelmill
