#include "storage/local_tree.h"

#include <filesystem>
#include <system_error>
#include <vector>

#include "storage/disk_error.h"
#include "storage/object_key.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

bool is_wanted(const fs::directory_entry& entry, const std::string& name, const TreeShape& shape) {
  std::error_code error;
  const fs::file_type type = entry.symlink_status(error).type();
  if (type == fs::file_type::directory) return shape.folders.contains(name);
  return type == fs::file_type::regular && shape.files.contains(name);
}

}  // namespace

void TreeShape::add_file(const std::string& path) {
  files.insert(path);
  if (const size_t slash = path.rfind('/'); slash != std::string::npos) add_folder(path.substr(0, slash));
}

void TreeShape::add_folder(const std::string& path) {
  for (size_t end = path.size(); end != std::string::npos && end > 0; end = path.rfind('/', end - 1))
    if (!folders.insert(path.substr(0, end)).second) return;
}

Status TreeShape::check() const {
  for (const std::string& file : files)
    if (folders.contains(file))
      return invalid_argument("the object '" + shown_key(file) +
                              "' can't be a file here: others are below it, as in a folder; rename or remove it");
  return ok_status();
}

Status reshape_tree(const std::string& root, const TreeShape& shape) {
  std::error_code error;
  fs::create_directories(root, error);
  if (error) return disk_error(root, "made", error.value());
  std::vector<fs::path> gone;
  for (fs::recursive_directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (is_wanted(*it, it->path().string().substr(root.size() + 1), shape)) continue;
    gone.push_back(it->path());
    it.disable_recursion_pending();
  }
  if (error) return unavailable("folder '" + root + "' can't be read: " + error.message());
  for (const fs::path& path : gone) {
    fs::remove_all(path, error);
    if (error) return disk_error(path.string(), "removed", error.value());
  }
  for (const std::string& folder : shape.folders) {
    fs::create_directories(root + '/' + folder, error);
    if (error) return disk_error(root + '/' + folder, "made", error.value());
  }
  return ok_status();
}

}  // namespace modelmill
