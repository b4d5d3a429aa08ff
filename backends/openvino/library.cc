#include "library.h"

#include <dlfcn.h>

#include <cstdio>

#include "support/library_search.h"

namespace modelmill::ov {
namespace {

constexpr int kOldestYear = 2025, kOldestRelease = 4;

std::vector<std::string> candidates(const std::string& plugin_dir) {
  return backend::library_candidates(
      {"MODELMILL_OPENVINO", {"openvino/libs/libopenvino_c.so*"}, "libopenvino_c.so*", {"libopenvino_c.so"}},
      plugin_dir);
}

/// Whether the library numbers its types as ov_c_api.h does, and its strings are ours.
bool types_agree() {
  for (int i = MM_BOOL; i <= MM_BF16; ++i) {
    const auto dtype = static_cast<mm_dtype>(i);
    int64_t one = 1;
    Tensor* made = nullptr;
    if (api->tensor_create(to_ov(dtype), Shape{1, &one}, &made) != 0) return false;
    const Handle<Tensor> tensor(made);
    size_t bytes = 0;
    const size_t expected = dtype == MM_STRING ? sizeof(std::string) : backend::element_size(dtype);
    if (api->tensor_bytes(made, &bytes) != 0 || bytes != expected) return false;
  }
  return true;
}

/// "2026.4.1" of "2026.4.1-22982-e213a147257-releases/2026/4".
std::string version_text() {
  Version version{};
  if (api->version_get(&version) != 0) return {};
  std::string out = version.build_number != nullptr ? version.build_number : "";
  api->version_free(&version);
  return out.substr(0, out.find('-'));
}

bool is_recent(const std::string& version) {
  int year = 0, release = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &year, &release) != 2) return false;
  return year > kOldestYear || (year == kOldestYear && release >= kOldestRelease);
}

}  // namespace

bool Library::try_open(const std::string& path, std::string* problem) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    *problem = dlerror();
    return false;
  }
  Api& table = opened_.api;
#define MODELMILL_OV_FIND(name, symbol, result, arguments)                                       \
  table.name = reinterpret_cast<decltype(table.name)>(dlsym(library, #symbol));                  \
  if (table.name == nullptr) {                                                                   \
    *problem = path + " does not export " #symbol ": it is not OpenVINO's C library of " +       \
               std::to_string(kOldestYear) + "." + std::to_string(kOldestRelease) + " or later"; \
    return false;                                                                                \
  }
  MODELMILL_OV_FUNCTIONS(MODELMILL_OV_FIND)
#undef MODELMILL_OV_FIND
  api = &table;
  opened_.version = version_text();
  if (!is_recent(opened_.version) || !types_agree()) {
    *problem = path + " is OpenVINO " + opened_.version + "; " + std::to_string(kOldestYear) + "." +
               std::to_string(kOldestRelease) + " or later is needed";
    return false;
  }
  if (opened_.core == nullptr && table.core_create(&opened_.core) != 0) {
    *problem = path + ": " + last_error();
    return false;
  }
  // A bare name was found by the loader: say where.
  Dl_info info{};
  const bool found = dladdr(reinterpret_cast<void*>(table.core_create), &info) != 0 && info.dli_fname != nullptr;
  opened_.path = found ? info.dli_fname : path;
  return true;
}

const Library::Opened* Library::open(std::string* problem) {
  const std::lock_guard lock(mutex_);
  if (ready_) return &opened_;
  const std::vector<std::string> paths =
      configured_.empty() ? candidates(plugin_dir_) : std::vector<std::string>{configured_};
  // A file that is there but does not work says more than the names that are nowhere.
  std::string first_problem;
  for (const std::string& path : paths) {
    std::string why;
    if (try_open(path, &why)) {
      ready_ = true;
      return &opened_;
    }
    if (first_problem.empty() && path.find('/') != std::string::npos) first_problem = why;
  }
  *problem = first_problem.empty() ? "the library of OpenVINO (libopenvino_c.so) was not found"
                                   : "the library of OpenVINO can't be used: " + first_problem;
  return nullptr;
}

std::vector<std::string> device_names(const Library::Opened& library) {
  Devices devices{};
  check(library.api.core_devices(library.core, &devices));
  std::vector<std::string> out(devices.names, devices.names + devices.size);
  library.api.devices_free(&devices);
  return out;
}

}  // namespace modelmill::ov
