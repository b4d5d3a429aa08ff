#pragma once

#include <cstdint>
#include <string>

#include "storage/archive_reader.h"

namespace modelmill {

/// Writes an archive's content below a folder, which is there, and which nobody else changes. Files are read-only, and
/// executable where they were; nothing else of their modes is taken, nor times and owners.
class FolderSink final : public ArchiveSink {
 public:
  /// What larger files hold beyond `most_content` bytes is left out: they have their size, and zeros.
  explicit FolderSink(std::string root, uint64_t most_content = UINT64_MAX)
      : root_(std::move(root)), most_content_(most_content) {}
  ~FolderSink() override;

  Status folder(const std::string& path) override;
  Status begin_file(const std::string& path, bool executable) override;
  Status write(uint64_t offset, std::string_view piece) override;
  Status end_file(uint64_t size) override;

 private:
  const std::string root_;
  const uint64_t most_content_;
  std::string file_;  // that is written
  int fd_ = -1;
};

}  // namespace modelmill
