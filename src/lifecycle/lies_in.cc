#include "lifecycle/lies_in.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace modelmill {
namespace {

namespace fs = std::filesystem;

fs::path real_path(const std::string& path) {
  std::error_code error;
  fs::path real = fs::weakly_canonical(path, error);
  if (error) real = path;
  return real.has_filename() ? real : real.parent_path();  // of "models/"
}

}  // namespace

bool lies_in(const std::string& path, const std::string& folder) {
  if (path.empty() || folder.empty()) return false;
  const fs::path outer = real_path(folder), inner = real_path(path);
  const auto [end, ignored] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return end == outer.end();
}

}  // namespace modelmill
