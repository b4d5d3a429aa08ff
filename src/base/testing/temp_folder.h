#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace modelmill {

/// A new folder below the system's temporary one, gone with this object. For tests.
class TempFolder {
 public:
  TempFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "modelmill_test_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
  }
  ~TempFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + '/' + name; }

  /// Writes a file, making the folders it is in. Returns its path.
  std::string write(const std::string& name, const std::string& text = "x") const {
    const std::filesystem::path file = std::filesystem::path(path_) / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << text;
    return file.string();
  }
  std::string make(const std::string& name) const {
    std::filesystem::create_directories(std::filesystem::path(path_) / name);
    return *this / name;
  }

 private:
  std::string path_;
};

}  // namespace modelmill
