#pragma once

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>

namespace modelmill {

/// A store's folder below the system's temporary one, gone with this object, and looks at its files. For tests.
class StoreFolder {
 public:
  StoreFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "modelmill_state_XXXXXX").string();
    above_ = ::mkdtemp(pattern.data()) == nullptr ? std::string() : pattern;
  }
  ~StoreFolder() {
    std::error_code ignored;
    if (!above_.empty()) std::filesystem::remove_all(above_, ignored);
  }
  StoreFolder(const StoreFolder&) = delete;
  StoreFolder& operator=(const StoreFolder&) = delete;

  std::string path() const { return above_ + "/store"; }
  std::string operator/(const std::string& name) const { return path() + "/" + name; }

  static std::string text(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static void write(const std::string& file, const std::string& text) { std::ofstream(file, std::ios::binary) << text; }

  /// Every file of the store with what it has.
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(path()))
      if (entry.is_regular_file()) out[entry.path().lexically_relative(path()).string()] = text(entry.path().string());
    return out;
  }

 private:
  std::string above_;
};

/// Runs in a child of this process, which shares no open file of a store that is opened inside. Its status is what
/// `work` returns.
inline pid_t in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  return child;
}

/// -SIGNAL for a child that was killed.
inline int exit_of(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace modelmill
