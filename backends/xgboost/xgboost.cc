// The XGBoost backend: serves what XGBoost saved with the library of its own package, found at run time (api.h).

#include "booster.h"
#include "support/tree_backend.h"

namespace {

struct Xgboost {
  using Booster = modelmill::xgboost::XgboostBooster;
  static constexpr const char* kName = "xgboost";
  static constexpr const char* kVersion = "1.0";
  static constexpr const char* kDefaultFile = "model.ubj";
  static constexpr const char* kFileExtensions = ".ubj,.bst,.xgb";
  static constexpr const char* kRuntime = "XGBoost";
  static constexpr const char* kRemedy =
      "pip install xgboost-cpu (or xgboost), or set MODELMILL_XGBOOST to the path of a libxgboost.so";

  static modelmill::backend::LibrarySearch search() {
    return {"MODELMILL_XGBOOST", {"xgboost/lib/libxgboost.so"}, "libxgboost.so*", {"libxgboost.so"}};
  }
  static std::string bind(void* handle, const std::string& path) { return modelmill::xgboost::bind_api(handle, path); }
  static std::string version(const std::string&) { return modelmill::xgboost::library_version(); }
};

using XgboostBackend = modelmill::backend::TreeBackend<Xgboost>;

}  // namespace

MODELMILL_BACKEND(XgboostBackend)
