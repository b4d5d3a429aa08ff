#include "library.h"

#include <dlfcn.h>
#include <glob.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace modelmill::ort {
namespace {

namespace fs = std::filesystem;

constexpr int kOldestMinor = ORT_API_VERSION;  // ONNX Runtime 1.N has API version N

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

/// The files that match, highest version first.
void add_matches(const std::string& pattern, std::vector<std::string>& out) {
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0)
    for (size_t i = found.gl_pathc; i-- > 0;) out.emplace_back(found.gl_pathv[i]);
  globfree(&found);
}

void add_packages(const fs::path& packages, std::vector<std::string>& out) {
  add_matches((packages / "onnxruntime/capi/libonnxruntime.so*").string(), out);
}

/// A Python installation or virtual environment.
void add_prefix(const fs::path& prefix, std::vector<std::string>& out) {
  add_packages(prefix / "lib/python3*/site-packages", out);
  add_packages(prefix / "lib/python3*/dist-packages", out);
  add_packages(prefix / "lib/python3/dist-packages", out);
}

/// The prefix of the first python3 on the PATH, as it is named and behind its links.
void add_python_on_path(std::vector<std::string>& out) {
  const std::string path = environment("PATH");
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find(':', begin), path.size());
    const fs::path python = fs::path(path.substr(begin, end - begin)) / "python3";
    begin = end + 1;
    if (access(python.c_str(), X_OK) != 0) continue;
    std::error_code ignored;
    add_prefix(python.parent_path().parent_path(), out);
    add_prefix(fs::canonical(python, ignored).parent_path().parent_path(), out);
    return;
  }
}

void ORT_API_CALL log_to_host(void*, OrtLoggingLevel level, const char*, const char* id, const char* where,
                              const char* message) {
  mm_log_level to = MM_LOG_DEBUG;
  if (level >= ORT_LOGGING_LEVEL_INFO) to = MM_LOG_INFO;
  if (level >= ORT_LOGGING_LEVEL_WARNING) to = MM_LOG_WARNING;
  if (level >= ORT_LOGGING_LEVEL_ERROR) to = MM_LOG_ERROR;
  backend::log(nullptr, to, std::string("ONNX Runtime: ") + id + ": " + message + " (" + where + ")");
}

std::vector<std::string> provider_names() {
  char** names = nullptr;
  int count = 0;
  check(api->GetAvailableProviders(&names, &count));
  std::vector<std::string> out(names, names + count);
  check(api->ReleaseAvailableProviders(names, count));
  return out;
}

}  // namespace

std::vector<std::string> library_candidates(const std::string& plugin_dir) {
  std::vector<std::string> out;
  if (const std::string given = environment("MODELMILL_ONNXRUNTIME"); !given.empty()) {
    // A package's folder will do as well as the file in it.
    if (fs::is_directory(given)) add_matches(given + "/libonnxruntime.so*", out);
    if (out.empty()) out.push_back(given);
    return out;
  }
  if (const std::string env = environment("VIRTUAL_ENV"); !env.empty()) add_prefix(env, out);
  if (const std::string env = environment("CONDA_PREFIX"); !env.empty()) add_prefix(env, out);
  fs::path at = plugin_dir;
  for (int level = 0; level < 6 && at.has_relative_path(); ++level, at = at.parent_path()) {
    add_packages(at, out);
    add_prefix(at / "venv", out);
    add_prefix(at / ".venv", out);
    add_prefix(at / "build/venv", out);
  }
  add_python_on_path(out);
  if (const std::string home = environment("HOME"); !home.empty()) {
    add_prefix(home + "/.local", out);
    add_prefix(home + "/.pyenv/versions/*", out);
  }
  add_prefix("/usr/local", out);
  add_prefix("/usr", out);
  add_matches("/usr/local/lib/libonnxruntime.so*", out);
  add_matches("/usr/lib/libonnxruntime.so*", out);
  out.push_back("libonnxruntime.so.1");  // wherever the system's loader looks
  out.push_back("libonnxruntime.so");
  return out;
}

bool Library::try_open(const std::string& path, std::string* problem) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *problem = dlerror();
    return false;
  }
  const auto get_base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(library, "OrtGetApiBase"));
  if (get_base == nullptr) {
    *problem = path + " does not export OrtGetApiBase: it is not ONNX Runtime";
    return false;
  }
  const OrtApiBase* base = get_base();
  const std::string version = base->GetVersionString();
  int major = 0, minor = 0;
  // The version is looked at first because asking an old library for a new table makes it print.
  const bool known = std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2;
  const OrtApi* table = known && (major > 1 || minor >= kOldestMinor) ? base->GetApi(ORT_API_VERSION) : nullptr;
  if (table == nullptr) {
    *problem = path + " is ONNX Runtime " + version + "; 1." + std::to_string(kOldestMinor) + " or later is needed";
    return false;
  }
  api = table;
  opened_.api = table;
  check(table->CreateEnvWithCustomLogger(&log_to_host, nullptr, ORT_LOGGING_LEVEL_WARNING, "modelmill", &opened_.env));
  opened_.version = version;
  opened_.providers = provider_names();
  // A bare name was found by the loader: say where.
  Dl_info info{};
  opened_.path =
      dladdr(reinterpret_cast<void*>(get_base), &info) != 0 && info.dli_fname != nullptr ? info.dli_fname : path;
  return true;
}

const Library::Opened* Library::open(std::string* problem) {
  const std::lock_guard lock(mutex_);
  if (ready_) return &opened_;
  const std::vector<std::string> candidates =
      configured_.empty() ? library_candidates(plugin_dir_) : std::vector<std::string>{configured_};
  // A file that is there but does not work says more than the names that are nowhere.
  std::string first_problem;
  for (const std::string& path : candidates) {
    std::string why;
    if (try_open(path, &why)) {
      ready_ = true;
      return &opened_;
    }
    if (first_problem.empty() && path.find('/') != std::string::npos) first_problem = why;
  }
  *problem = first_problem.empty() ? "the library of ONNX Runtime (libonnxruntime.so) was not found"
                                   : "the library of ONNX Runtime can't be used: " + first_problem;
  return nullptr;
}

}  // namespace modelmill::ort
