#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "storage/cache_paths.h"
#include "storage/file_lock.h"
#include "storage/partial_file.h"

namespace modelmill {

/// Downloaded files by their content, so that versions and models share what is the same, and what was had once is
/// not loaded again. Whole at every moment, also after the death of a process in the middle of anything: files get in
/// by one rename when they are whole and verified, and get into trees by one rename of a hard link. Used by several
/// threads and processes at once.
class BlobCache {
 public:
  /// Makes the folder when it is missing. `max_bytes` bounds what it holds; 0: nothing does.
  static Result<std::unique_ptr<BlobCache>> open(const std::string& folder, uint64_t max_bytes);

  const CachePaths& paths() const { return paths_; }

  /// The SHA-256 of that version of an object, when its content is here. Never of an unknown (empty) version.
  std::optional<std::string> find(const std::string& object, const std::string& version) const;
  bool has(const std::string& sha256) const;
  /// `target` is the content itself, not a copy.
  bool is_linked(const std::string& sha256, const std::string& target) const;

  /// The right to load this version of an object. Waits while another process loads it, until `cancelled`.
  Result<FileLock> claim(const PartialFile::Identity& identity, const std::atomic<bool>& cancelled) const;
  /// Goes on with what there is, or makes room and begins. The caller has the claim.
  Result<PartialFile> begin(const PartialFile::Identity& identity) const;
  /// And the claim's file; the caller has the claim.
  void discard(const PartialFile& partial) const;

  /// Takes in a whole file, whose content the caller has verified and summed up, and links it to `target`.
  Status keep(PartialFile partial, const std::string& sha256, const std::string& target) const;
  /// Puts the content at `target`, in the place of a file that may be there, making the folders it is in. NOT_FOUND
  /// when the content is not here any more.
  Status link(const std::string& sha256, const std::string& target) const;

  /// Nothing is linked, moved or removed by others while it is held.
  Result<FileLock> lock() const { return FileLock::take(paths_.lock(), FileLock::Kind::kExclusive); }

 private:
  BlobCache(std::string folder, uint64_t max_bytes) : paths_{std::move(folder)}, max_bytes_(max_bytes) {}
  std::string partial_path(const PartialFile::Identity& identity) const;
  Status link_locked(const std::string& sha256, const std::string& target) const;
  void tidy() const;

  const CachePaths paths_;
  const uint64_t max_bytes_;
};

}  // namespace modelmill
