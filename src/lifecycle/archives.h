#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/result.h"
#include "lifecycle/settling.h"
#include "repository/find_models.h"
#include "storage/archive_cache.h"

namespace modelmill {

/// The archives among the sources: unpacks each when it is met, and anew when its file has changed and come to rest.
/// Until then, and where the new one can't be unpacked, the old content stays. Thread-safe.
class Archives {
 public:
  /// One look at the sources.
  struct Look {
    TimePoint now;
    /// Somebody asked for what is there now: changes are taken without waiting for rest, and what failed is tried
    /// again.
    bool at_once = false;
    std::set<std::string> met = {};  // archives that were come by
    bool changing = false;           // some are not at rest: look again soon
  };

  /// The folder is made when the first archive comes.
  Archives(std::string cache_folder, uint64_t cache_bytes, Duration rest)
      : cache_folder_(std::move(cache_folder)), cache_bytes_(cache_bytes), settling_(rest) {}

  /// Blocks on the disk. `cancelled` ends that, with an error, after a piece of a file at most.
  LocalCopy open(const std::string& archive, Look& look, const std::atomic<bool>& cancelled);
  /// Forgets the others.
  void keep_only(const std::set<std::string>& met);

 private:
  struct Known {
    std::string state;  // of the file that was unpacked last, or that could not be
    std::shared_ptr<const UnpackedArchive> content;
    Status problem;
  };

  Result<std::shared_ptr<const UnpackedArchive>> unpack(const std::string& archive, const std::atomic<bool>& cancelled);
  static LocalCopy opened(const Known& known);

  const std::string cache_folder_;
  const uint64_t cache_bytes_;
  Mutex mutex_;
  std::unique_ptr<ArchiveCache> cache_ MM_GUARDED_BY(mutex_);
  std::map<std::string, Known> known_ MM_GUARDED_BY(mutex_);
  Settling settling_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
