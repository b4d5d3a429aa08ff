#pragma once

#include <cstdint>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill::pytorch {

/// The directory of a zip archive as torch writes them: entries are stored, not compressed; 64-bit sizes are read. The
/// file may be a stranger's: what does not fit into it makes it no archive.
class ZipDirectory {
 public:
  /// nullopt when the file is no whole archive.
  static std::optional<ZipDirectory> read(const std::string& file);

  struct Entry {
    std::string name;
    uint64_t size = 0;
    uint64_t header = 0;  // where its local header begins
    bool stored = false;
  };
  const std::vector<Entry>& entries() const { return entries_; }

  /// The bytes of a stored entry of at most `most` bytes; nullopt for any other.
  std::optional<std::string> content(const Entry& entry, uint64_t most) const;

 private:
  std::string file_;
  std::vector<Entry> entries_;
};

}  // namespace modelmill::pytorch
