#include "library.h"

#include <dlfcn.h>

#include <cstdio>

#include "support/library_search.h"

namespace modelmill::ort {
namespace {

constexpr int kOldestMinor = ORT_API_VERSION;  // ONNX Runtime 1.N has API version N

const backend::LibrarySearch kSearch{"MODELMILL_ONNXRUNTIME",
                                     {"onnxruntime/capi/libonnxruntime.so*"},
                                     "libonnxruntime.so*",
                                     {"libonnxruntime.so.1", "libonnxruntime.so"}};

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
      configured_.empty() ? backend::library_candidates(kSearch, plugin_dir_) : std::vector<std::string>{configured_};
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
