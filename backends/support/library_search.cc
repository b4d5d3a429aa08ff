#include "library_search.h"

#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace modelmill::backend {
namespace {

namespace fs = std::filesystem;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// Collects the files that exist, each once.
class Candidates {
 public:
  explicit Candidates(const LibrarySearch& search) : search_(search) {}

  /// The files that match, highest version first.
  void add_matches(const std::string& pattern) {
    glob_t found{};
    if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
      for (size_t i = found.gl_pathc; i-- > 0;) add(found.gl_pathv[i]);
    globfree(&found);
  }

  /// A folder of Python packages.
  void add_packages(const fs::path& packages) {
    for (const std::string& file : search_.in_packages) add_matches((packages / file).string());
  }

  /// A Python installation or virtual environment.
  void add_prefix(const fs::path& prefix) {
    add_packages(prefix / "lib/python3*/site-packages");
    add_packages(prefix / "lib/python3*/dist-packages");
    add_packages(prefix / "lib/python3/dist-packages");
  }

  /// What the operator named: the file, a folder with it, a Python environment, a folder of packages, or a package.
  void add_named(const fs::path& given) {
    if (fs::is_directory(given)) {
      add_matches((given / search_.file).string());
      add_prefix(given);
      add_packages(given);
      add_packages(given.parent_path());
    }
    if (files_.empty()) add(given.string());
  }

  /// The prefix of the first python3 on the PATH, as it is named and behind its links.
  void add_python_on_path() {
    const std::string path = environment("PATH");
    for (size_t begin = 0; begin <= path.size();) {
      const size_t end = std::min(path.find(':', begin), path.size());
      const fs::path python = fs::path(path.substr(begin, end - begin)) / "python3";
      begin = end + 1;
      if (access(python.c_str(), X_OK) != 0) continue;
      std::error_code ignored;
      add_prefix(python.parent_path().parent_path());
      add_prefix(fs::canonical(python, ignored).parent_path().parent_path());
      return;
    }
  }

  void add(std::string file) {
    if (std::find(files_.begin(), files_.end(), file) == files_.end()) files_.push_back(std::move(file));
  }

  std::vector<std::string> take() { return std::move(files_); }

 private:
  const LibrarySearch& search_;
  std::vector<std::string> files_;
};

}  // namespace

std::vector<std::string> library_candidates(const LibrarySearch& search, const std::string& plugin_dir) {
  Candidates out(search);
  if (const std::string given = environment(search.variable.c_str()); !given.empty()) {
    out.add_named(given);
    return out.take();
  }
  if (const std::string env = environment("VIRTUAL_ENV"); !env.empty()) out.add_prefix(env);
  if (const std::string env = environment("CONDA_PREFIX"); !env.empty()) out.add_prefix(env);
  fs::path at = plugin_dir;
  for (int level = 0; level < 6 && at.has_relative_path(); ++level, at = at.parent_path()) {
    out.add_packages(at);
    out.add_prefix(at / "venv");
    out.add_prefix(at / ".venv");
    out.add_prefix(at / "build/venv");
  }
  out.add_python_on_path();
  if (const std::string home = environment("HOME"); !home.empty()) {
    out.add_prefix(home + "/.local");
    out.add_prefix(home + "/.pyenv/versions/*");
  }
  for (const char* system : {"/usr/local", "/usr"}) {
    out.add_prefix(system);
    out.add_matches(std::string(system) + "/lib/" + search.file);
    out.add_matches(std::string(system) + "/lib/x86_64-linux-gnu/" + search.file);
  }
  for (const std::string& name : search.sonames) out.add(name);
  return out.take();
}

}  // namespace modelmill::backend
