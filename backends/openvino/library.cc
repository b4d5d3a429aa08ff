#include "library.h"

#include <cstdio>

namespace modelmill::ov {
namespace {

constexpr int kOldestYear = 2025, kOldestRelease = 4;

const backend::LibrarySearch kSearch{
    "MODELMILL_OPENVINO", {"openvino/libs/libopenvino_c.so*"}, "libopenvino_c.so*", {"libopenvino_c.so"}};

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

Library::Library(std::string configured, std::string plugin_dir)
    : library_(kSearch, "OpenVINO", std::move(configured), std::move(plugin_dir),
               [this](void* handle, const std::string& path) { return bind(handle, path); }) {}

std::string Library::bind(void* handle, const std::string& path) {
  Api& table = opened_.api;
  backend::Symbols symbols(handle);
#define MODELMILL_OV_FIND(name, symbol, result, arguments) symbols.get(table.name, #symbol);
  MODELMILL_OV_FUNCTIONS(MODELMILL_OV_FIND)
#undef MODELMILL_OV_FIND
  const std::string oldest = std::to_string(kOldestYear) + "." + std::to_string(kOldestRelease);
  if (!symbols.missing().empty())
    return path + " does not export " + symbols.missing() + ": it is not OpenVINO's C library of " + oldest +
           " or later";
  api = &table;
  opened_.version = version_text();
  if (!is_recent(opened_.version) || !types_agree())
    return path + " is OpenVINO " + opened_.version + "; " + oldest + " or later is needed";
  if (opened_.core == nullptr && table.core_create(&opened_.core) != 0) return path + ": " + last_error();
  opened_.path = path;
  return {};
}

const Library::Opened* Library::open(std::string* problem) {
  return library_.open(problem).empty() ? nullptr : &opened_;
}

std::vector<std::string> device_names(const Library::Opened& library) {
  Devices devices{};
  check(library.api.core_devices(library.core, &devices));
  std::vector<std::string> out(devices.names, devices.names + devices.size);
  library.api.devices_free(&devices);
  return out;
}

}  // namespace modelmill::ov
