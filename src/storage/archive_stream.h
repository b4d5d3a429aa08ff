#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

struct archive;

namespace modelmill {

/// The bytes of an archive's file as libarchive reads them: as they are, or inflated when they are gzipped. By zlib and
/// not by libarchive, which doesn't look at the checksum at a gzip's end, and would inflate what was gzipped many
/// times. For one thread.
class ArchiveStream {
 public:
  /// `most`: inflated bytes that it gives at most, all told.
  static Result<std::unique_ptr<ArchiveStream>> open(const std::string& path, const std::atomic<bool>& cancelled);
  ~ArchiveStream();
  ArchiveStream(const ArchiveStream&) = delete;
  ArchiveStream& operator=(const ArchiveStream&) = delete;

  uint64_t file_size() const { return size_; }
  bool gzipped() const { return gz_ != nullptr; }
  void allow(uint64_t most) { most_ = most; }
  /// Why reading has failed; OK: it has not.
  const Status& status() const { return status_; }

  /// libarchive reads from it, and knows the formats of models' archives alone. It must not outlive the stream.
  Status attach(struct archive* reader);
  /// Reads what is left of a gzip, so that all of it has been checked.
  Status finish();
  /// A tar that is not gzipped ends as every tar does.
  Status check_end_of_tar() const;

 private:
  ArchiveStream(int fd, uint64_t size, const std::atomic<bool>& cancelled);
  int64_t read(const void** piece);
  int64_t seek(int64_t offset, int whence);
  static ssize_t on_read(struct archive* reader, void* self, const void** piece);
  static int64_t on_seek(struct archive* reader, void* self, int64_t offset, int whence);
  static int64_t on_skip(struct archive* reader, void* self, int64_t wanted);

  const int fd_;
  const uint64_t size_;
  const std::atomic<bool>& cancelled_;
  void* gz_ = nullptr;  // gzFile; null: the file is read as it is
  uint64_t given_ = 0;
  uint64_t most_ = UINT64_MAX;
  Status status_;
  std::string buffer_;
};

}  // namespace modelmill
