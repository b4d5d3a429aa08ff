#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What an archive may hold. The defaults are far above what models are, and far below what harms.
struct ArchiveLimits {
  size_t entries = 100'000;
  /// Unpacked, of all files together.
  uint64_t bytes = uint64_t{1} << 40;
  /// Beyond so many bytes, unpacked files may be at most `ratio` times as large as the archive.
  uint64_t free_bytes = uint64_t{1} << 30;
  uint64_t ratio = 200;

  /// The bytes that an archive of this size may unpack to.
  uint64_t bytes_of(uint64_t archive_size) const;
};

/// What is done with the content of an archive: calls come in the order of its entries, from one thread, and the paths
/// are safe (see archive_path()). An error ends the reading.
class ArchiveSink {
 public:
  virtual ~ArchiveSink() = default;
  virtual Status folder(const std::string& path) = 0;
  virtual Status begin_file(const std::string& path, bool executable) = 0;
  /// Of the file that was begun; offsets ascend, and what is left out is zero.
  virtual Status write(uint64_t offset, std::string_view piece) = 0;
  virtual Status end_file(uint64_t size) = 0;
};

/// Takes nothing: for reading that only checks.
class NoSink final : public ArchiveSink {
 public:
  Status folder(const std::string&) override { return ok_status(); }
  Status begin_file(const std::string&, bool) override { return ok_status(); }
  Status write(uint64_t, std::string_view) override { return ok_status(); }
  Status end_file(uint64_t) override { return ok_status(); }
};

struct ArchiveContent {
  size_t files = 0;
  uint64_t bytes = 0;
};

/// Reads a zip (a TorchServe .mar is one), a tar or a gzipped tar to its end; which it is, is told by its content. Only
/// files and folders are taken: a link, a device or anything else is an error, and so is what is damaged, cut off,
/// encrypted, or beyond the limits. Errors name the archive, the entry, the limit and the remedy; CANCELLED when
/// `cancelled` was set meanwhile. Uses little memory, whatever the archive says.
Result<ArchiveContent> read_archive(const std::string& archive, const ArchiveLimits& limits, ArchiveSink& sink,
                                    const std::atomic<bool>& cancelled);

}  // namespace modelmill
