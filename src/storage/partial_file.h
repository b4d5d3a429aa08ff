#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// A file while it is downloaded: PATH.part with what has come, and PATH.ranges that says which chunks of it are whole.
/// A process that comes later goes on where this one ended, if it wants the same version of the same object. Writes
/// and marks from several threads at once, of different chunks; the caller holds a lock against other processes.
class PartialFile {
 public:
  /// What must be the same to go on.
  struct Identity {
    std::string object;   // where it comes from
    std::string version;  // empty: unknown, never gone on with
    std::optional<uint64_t> size;
    uint64_t chunk = 0;
  };

  /// What an earlier process left at `path`; nullopt when there is nothing, or of another identity, or of before the
  /// machine started (then a chunk can be marked whose bytes never reached the disk).
  static std::optional<PartialFile> resume(const std::string& path, const Identity& identity);
  /// In the place of whatever is there. The room is taken at once: RESOURCE_EXHAUSTED says what the disk lacks.
  static Result<PartialFile> create(const std::string& path, const Identity& identity);
  static void remove(const std::string& path);

  PartialFile(PartialFile&& other) noexcept;
  PartialFile& operator=(PartialFile&&) = delete;
  ~PartialFile();

  /// One when the size is unknown.
  size_t chunks() const { return done_.size(); }
  bool is_done(size_t chunk) const { return done_[chunk] != 0; }
  uint64_t bytes_done() const;
  uint64_t chunk_begin(size_t chunk) const { return chunk * identity_.chunk; }
  uint64_t chunk_size(size_t chunk) const;

  Status write(uint64_t offset, std::string_view piece);
  /// All bytes of that chunk have been written.
  Status mark_done(size_t chunk);
  /// Of a file of unknown size: what came after the end of a shorter second try goes.
  Status cut(uint64_t size);
  /// The bytes are on the disk.
  Status sync();

  std::string data_path() const { return path_ + ".part"; }
  const Identity& identity() const { return identity_; }

 private:
  PartialFile(std::string path, Identity identity, int data, int ranges);

  std::string path_;
  Identity identity_;
  int data_;
  int ranges_;
  size_t head_size_ = 0;    // of the identity in the ranges file; a byte for each chunk follows
  std::vector<char> done_;  // each touched by the one thread that loads the chunk
};

}  // namespace modelmill
