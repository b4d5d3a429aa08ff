#pragma once

#include <set>
#include <string>

#include "base/status.h"

namespace modelmill {

/// What shall be below a folder: relative paths, each folder's parents among them.
struct TreeShape {
  std::set<std::string> folders;
  std::set<std::string> files;

  /// With the folders that the file is in.
  void add_file(const std::string& path);
  void add_folder(const std::string& path);
  /// INVALID_ARGUMENT names a path that would have to be both a file and a folder.
  Status check() const;
};

/// Makes the folders of the shape below `root`, and removes what is in nothing of it. Files are not made.
Status reshape_tree(const std::string& root, const TreeShape& shape);

}  // namespace modelmill
