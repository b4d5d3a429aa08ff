#include "support/vendor_library.h"

#include <dlfcn.h>
#include <link.h>

namespace modelmill::backend {

void* Symbols::find(const char* name) {
  void* const found = dlsym(handle_, name);
  if (found == nullptr && missing_.empty()) missing_ = name;
  return found;
}

std::string VendorLibrary::try_open(const std::string& name, std::string* problem) const {
  if (check_ && name.find('/') != std::string::npos) {
    *problem = check_(name);
    if (!problem->empty()) return {};
  }
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    *problem = dlerror();
    return {};
  }
  // A bare name was found by the loader: say where.
  link_map* loaded = nullptr;
  const bool known = dlinfo(handle, RTLD_DI_LINKMAP, &loaded) == 0 && loaded->l_name != nullptr;
  const std::string path = known ? loaded->l_name : name;
  *problem = bind_(handle, path);
  return problem->empty() ? path : std::string();
}

std::string VendorLibrary::open(std::string* problem) {
  const std::lock_guard lock(mutex_);
  if (!path_.empty()) return path_;
  const std::vector<std::string> candidates =
      configured_.empty() ? library_candidates(search_, plugin_dir_) : std::vector<std::string>{configured_};
  // A file that is there but does not work says more than the names that are nowhere.
  std::string first_problem;
  for (const std::string& path : candidates) {
    std::string why;
    path_ = try_open(path, &why);
    if (!path_.empty()) return path_;
    if (first_problem.empty() && path.find('/') != std::string::npos) first_problem = why;
  }
  *problem = first_problem.empty() ? "the library of " + name_ + " (" + search_.sonames.back() + ") was not found"
                                   : "the library of " + name_ + " can't be used: " + first_problem;
  return {};
}

}  // namespace modelmill::backend
