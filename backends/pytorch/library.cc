#include "library.h"

#include <dlfcn.h>
#include <glob.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace modelmill::pytorch {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kBridgePrefix = "libmodelmill_torch_";

const backend::LibrarySearch kSearch{
    "MODELMILL_PYTORCH", {"torch/lib/libtorch_cpu.so"}, "libtorch_cpu.so", {"libtorch_cpu.so"}};

/// What stands between quotes after `name` in a Python file.
std::string assigned_text(const fs::path& file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const size_t begin = line.find('\''), end = line.rfind('\'');
    if (begin != std::string::npos && end > begin) return line.substr(begin + 1, end - begin - 1);
  }
  return {};
}

/// The version of the torch that a library belongs to, told by a file beside its folder: version.py of a Python
/// package, build-version of the archive for C++. Empty when there is none.
std::string version_of(const std::string& library) {
  const fs::path around = fs::path(library).parent_path().parent_path();
  if (std::string version = assigned_text(around / "version.py", "__version__"); !version.empty()) return version;
  std::string version;
  std::ifstream in(around / "build-version");
  in >> version;
  return version;
}

/// "2.15" of "2.15.0+cu132".
std::string minor_of(const std::string& version) {
  const size_t first = version.find('.');
  const size_t end = first == std::string::npos ? first : version.find_first_not_of("0123456789", first + 1);
  return version.substr(0, end);
}

/// Whether minor a comes before b.
bool is_earlier(const std::string& a, const std::string& b) {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

std::vector<std::string> bridges_in(const std::string& folder) {
  std::vector<std::string> out;
  glob_t found{};
  if (glob((folder + "/" + std::string(kBridgePrefix) + "*.so").c_str(), 0, nullptr, &found) == 0)
    for (size_t i = 0; i < found.gl_pathc; ++i)
      out.push_back(fs::path(found.gl_pathv[i]).stem().string().substr(kBridgePrefix.size()));
  globfree(&found);
  std::sort(out.begin(), out.end(), is_earlier);
  return out;
}

}  // namespace

Library::Library(std::string configured, std::string plugin_dir)
    : plugin_dir_(plugin_dir),
      library_(
          kSearch, "PyTorch", std::move(configured), std::move(plugin_dir),
          [this](void*, const std::string& path) { return bind(path); },
          [this](const std::string& path) { return check_version(path); }) {}

std::string Library::bridge_file(const std::string& minor) const {
  return plugin_dir_ + "/" + std::string(kBridgePrefix) + minor + ".so";
}

std::string Library::minors_text() const {
  const std::vector<std::string> minors = bridges_in(plugin_dir_);
  std::string out;
  for (size_t i = 0; i < minors.size(); ++i) out += (i == 0 ? "" : i + 1 < minors.size() ? ", " : " and ") + minors[i];
  return out;
}

std::string Library::remedy() const {
  const std::vector<std::string> minors = bridges_in(plugin_dir_);
  if (minors.empty())
    return "build modelmill again when tools/fetch-torch-headers has brought torch's headers, and pip install torch, "
           "or "
           "set MODELMILL_PYTORCH to the path of a libtorch_cpu.so";
  return "pip install torch==" + minors.back() +
         ".*, or set MODELMILL_PYTORCH to the path of a libtorch_cpu.so of torch " + minors_text();
}

std::string Library::check_version(const std::string& path) const {
  if (!fs::exists(path)) return {};  // the loader says it
  const std::string minors = minors_text();
  if (minors.empty()) return path + " is there, but this build of modelmill has no bridge to any torch";
  const std::string version = version_of(path);
  if (version.empty())
    return path + " does not tell its version: neither version.py nor build-version is in the folder above its own";
  if (!fs::exists(bridge_file(minor_of(version))))
    return path + " is torch " + version + ", but this build of modelmill serves with torch " + minors;
  return {};
}

std::string Library::bind(const std::string& path) {
  if (std::string problem = check_version(path); !problem.empty()) return problem;  // found by the loader
  const std::string version = version_of(path), file = bridge_file(minor_of(version));
  void* const handle = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return std::string("the bridge to it can't be opened: ") + dlerror();
  const auto enter = reinterpret_cast<BridgeEntry>(dlsym(handle, kBridgeEntry));
  Bridge* const bridge = enter != nullptr ? enter(kBridgeVersion) : nullptr;
  if (bridge == nullptr) return file + " is of another build of modelmill than its neighbours";
  opened_ = {path, version, bridge};
  return {};
}

const Library::Opened* Library::open(std::string* problem) {
  return library_.open(problem).empty() ? nullptr : &opened_;
}

}  // namespace modelmill::pytorch
