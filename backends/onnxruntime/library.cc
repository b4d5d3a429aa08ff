#include "library.h"

#include <dlfcn.h>

#include <cstdio>
#include <string_view>

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
  // A run that was terminated because nobody waits for it is no error.
  if (std::string_view(message).find("due to terminate flag") != std::string_view::npos) to = MM_LOG_DEBUG;
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

Library::Library(std::string configured, std::string plugin_dir)
    : library_(kSearch, "ONNX Runtime", std::move(configured), std::move(plugin_dir),
               [this](void* handle, const std::string& path) { return bind(handle, path); }) {}

std::string Library::bind(void* handle, const std::string& path) {
  const auto get_base = reinterpret_cast<const OrtApiBase* (*)()>(dlsym(handle, "OrtGetApiBase"));
  if (get_base == nullptr) return path + " does not export OrtGetApiBase: it is not ONNX Runtime";
  const OrtApiBase* base = get_base();
  const std::string version = base->GetVersionString();
  int major = 0, minor = 0;
  // The version is looked at first because asking an old library for a new table makes it print.
  const bool known = std::sscanf(version.c_str(), "%d.%d", &major, &minor) == 2;
  const OrtApi* table = known && (major > 1 || minor >= kOldestMinor) ? base->GetApi(ORT_API_VERSION) : nullptr;
  if (table == nullptr)
    return path + " is ONNX Runtime " + version + "; 1." + std::to_string(kOldestMinor) + " or later is needed";
  api = table;
  opened_.api = table;
  check(table->CreateEnvWithCustomLogger(&log_to_host, nullptr, ORT_LOGGING_LEVEL_WARNING, "modelmill", &opened_.env));
  opened_.version = version;
  opened_.providers = provider_names();
  opened_.path = path;
  return {};
}

const Library::Opened* Library::open(std::string* problem) {
  return library_.open(problem).empty() ? nullptr : &opened_;
}

}  // namespace modelmill::ort
