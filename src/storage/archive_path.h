#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// The name of an archive's entry as a path inside the folder that it is unpacked into: without "./" and doubled
/// slashes; empty for that folder itself. INVALID_ARGUMENT, saying why, for one that could leave the folder, or that
/// can't be a file's: absolute, with "..", with a control character, or too long.
Result<std::string> archive_path(std::string_view name);

/// What an archive has so far. INVALID_ARGUMENT when an entry can't be beside the others: a file that was there
/// already, or one that is a file here and a folder there.
class ArchiveShape {
 public:
  Status add_file(const std::string& path);
  Status add_folder(const std::string& path);
  size_t files() const { return files_.size(); }

 private:
  Status add_parents(const std::string& path);

  std::set<std::string, std::less<>> files_;
  std::set<std::string, std::less<>> folders_;
};

}  // namespace modelmill
