#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// What a folder holds at one moment, links followed; what is neither file nor folder is left out.
struct FolderListing {
  std::filesystem::path path;
  std::vector<std::string> files;    // names, sorted, so that no result hangs on the file system's order
  std::vector<std::string> folders;  // the same

  bool has_file(const std::string& name) const;
  bool has_folder(const std::string& name) const;
  bool empty() const { return files.empty() && folders.empty(); }
  std::string inside(const std::string& name) const { return (path / name).string(); }
  /// Its last part; that of where it really is for "." and "models/..".
  std::string name() const;
};

/// NOT_FOUND when there is no such folder (any more), PERMISSION_DENIED when it can't be read.
Result<FolderListing> list_folder(const std::filesystem::path& folder);

/// Folders that belong to a model, or to the disk, and are never models of their own.
inline bool is_side_folder(const std::string& name) {
  return name == "warmup" || name == "initial_state" || name == "configs" || name == "lost+found";
}

inline bool is_yaml_file(const std::filesystem::path& path) {
  return path.extension() == ".yaml" || path.extension() == ".yml";
}

}  // namespace modelmill
