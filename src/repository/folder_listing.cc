#include "repository/folder_listing.h"

#include <algorithm>
#include <system_error>

namespace modelmill {
namespace fs = std::filesystem;

bool FolderListing::has_file(const std::string& name) const {
  return std::binary_search(files.begin(), files.end(), name);
}

bool FolderListing::has_folder(const std::string& name) const {
  return std::binary_search(folders.begin(), folders.end(), name);
}

std::string FolderListing::name() const {
  std::error_code error;
  const fs::path real = fs::canonical(path, error);
  const fs::path written = path.has_filename() ? path.filename() : path.parent_path().filename();
  if (written.empty() || written == "." || written == "..") return error ? written.string() : real.filename().string();
  return written.string();
}

Result<FolderListing> list_folder(const fs::path& folder) {
  FolderListing out;
  out.path = folder;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code ignored;
    const std::string name = it->path().filename().string();
    if (it->is_directory(ignored)) {
      out.folders.push_back(name);
    } else if (it->is_regular_file(ignored)) {
      out.files.push_back(name);
    }
  }
  if (error == std::errc::no_such_file_or_directory)
    return not_found("folder '" + folder.string() + "' is not there any more; correct the path");
  if (error)
    return Status(Code::kPermissionDenied,
                  "can't read folder '" + folder.string() + "': " + error.message() + "; let this user read it");
  std::sort(out.files.begin(), out.files.end());
  std::sort(out.folders.begin(), out.folders.end());
  return out;
}

}  // namespace modelmill
