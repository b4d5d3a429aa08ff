#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "storage/archive_reader.h"
#include "storage/cache_paths.h"
#include "storage/file_lock.h"

namespace modelmill {

/// The content of an archive, in a folder that stays as it is while this lives. When it goes, and the archive is not
/// there any more or has become another, so does the folder. Thread-safe.
class UnpackedArchive {
 public:
  UnpackedArchive(CachePaths paths, std::string folder, FileLock lock)
      : paths_(std::move(paths)), folder_(std::move(folder)), lock_(std::make_unique<FileLock>(std::move(lock))) {}
  ~UnpackedArchive();
  UnpackedArchive(const UnpackedArchive&) = delete;
  UnpackedArchive& operator=(const UnpackedArchive&) = delete;

  const std::string& folder() const { return folder_; }

 private:
  const CachePaths paths_;
  const std::string folder_;
  std::unique_ptr<FileLock> lock_;  // shared: the folder is in use
};

/// Unpacks archives into CACHE/unpacked/ID/NAME, where ID comes of the content: what was unpacked once serves again,
/// also in the next process, and a folder is there whole or not at all, whenever a process dies. Used by several
/// threads and processes at once, beside a BlobCache.
class ArchiveCache {
 public:
  /// Makes the folder when it is missing, and removes what is wanted no more. `max_bytes` bounds what the cache holds,
  /// downloads and all; 0: nothing does.
  static Result<std::unique_ptr<ArchiveCache>> open(const std::string& folder, uint64_t max_bytes,
                                                    ArchiveLimits limits = {});

  /// The archive's content in a folder called `name`. Reads the archive only when its file is not as it was the last
  /// time. ABORTED when it changes meanwhile; CANCELLED; else see read_archive().
  Result<std::shared_ptr<const UnpackedArchive>> unpack(const std::string& archive, const std::string& name,
                                                        const std::atomic<bool>& cancelled) const;

 private:
  /// One archive, as its file is at the beginning.
  struct Request {
    std::string archive;
    std::string state;
    std::string name;
    const std::atomic<bool>& cancelled;
  };

  ArchiveCache(std::string folder, uint64_t max_bytes, ArchiveLimits limits)
      : paths_{std::move(folder)}, max_bytes_(max_bytes), limits_(limits) {}
  void tidy() const;
  Result<std::string> id_of(const Request& wanted) const;
  /// Null when it is not there, or not yet.
  Result<std::shared_ptr<const UnpackedArchive>> use(const Request& wanted, const std::string& id) const;
  Status unpack_as(const std::string& id, const Request& wanted) const;
  Status make_room(const Request& wanted) const;
  static Status changed(const Request& wanted);

  const CachePaths paths_;
  const uint64_t max_bytes_;
  const ArchiveLimits limits_;
};

}  // namespace modelmill
