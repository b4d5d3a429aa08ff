// The LightGBM backend: serves what LightGBM saved with the library of its own package, found at run time (api.h).

#include "booster.h"
#include "support/tree_backend.h"

namespace {

struct Lightgbm {
  using Booster = modelmill::lightgbm::LightgbmBooster;
  static constexpr const char* kName = "lightgbm";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.lgb";
  static constexpr const char* kFileExtensions = ".lgb,.lgbm";
  static constexpr const char* kRuntime = "LightGBM";
  static constexpr const char* kRemedy =
      "pip install lightgbm, or set MODELMILL_LIGHTGBM to the path of a lib_lightgbm.so";

  static modelmill::backend::LibrarySearch search() {
    return {"MODELMILL_LIGHTGBM", {"lightgbm/lib/lib_lightgbm.so"}, "lib_lightgbm.so*", {"lib_lightgbm.so"}};
  }
  static std::string bind(void* handle, const std::string& path) { return modelmill::lightgbm::bind_api(handle, path); }
  static std::string version(const std::string& path) { return modelmill::lightgbm::version_of_package(path); }
};

using LightgbmBackend = modelmill::backend::TreeBackend<Lightgbm>;

}  // namespace

MODELMILL_BACKEND(LightgbmBackend)
