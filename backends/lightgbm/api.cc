#include "api.h"

#include <filesystem>

#include "support/vendor_library.h"

namespace modelmill::lightgbm {
namespace {

/// The library tells everything in pieces of lines. Its warnings and errors come to the log, the rest is of no use.
void log_to_host(const char* text) {
  const std::string_view line(text);
  if (line.find("[Warning]") == std::string_view::npos && line.find("[Fatal]") == std::string_view::npos) return;
  backend::log(nullptr, MM_LOG_WARNING, "LightGBM: " + std::string(line.substr(0, line.find('\n'))));
}

}  // namespace

Api api;

std::string bind_api(void* handle, const std::string& path) {
  Api found{};
  backend::Symbols symbols(handle);
  symbols.get(found.last_error, "LGBM_GetLastError");
  symbols.get(found.register_log, "LGBM_RegisterLogCallback");
  symbols.get(found.load, "LGBM_BoosterCreateFromModelfile");
  symbols.get(found.free, "LGBM_BoosterFree");
  symbols.get(found.class_count, "LGBM_BoosterGetNumClasses");
  symbols.get(found.feature_count, "LGBM_BoosterGetNumFeature");
  symbols.get(found.feature_names, "LGBM_BoosterGetFeatureNames");
  symbols.get(found.result_count, "LGBM_BoosterCalcNumPredict");
  symbols.get(found.predict_rows, "LGBM_BoosterPredictForMat");
  symbols.get(found.prepare_fast, "LGBM_BoosterPredictForMatSingleRowFastInit");
  symbols.get(found.predict_fast, "LGBM_BoosterPredictForMatSingleRowFast");
  symbols.get(found.free_fast, "LGBM_FastConfigFree");
  if (!symbols.missing().empty())
    return path + " does not export " + symbols.missing() +
           ": it is not LightGBM, or one older than 3.3, which is needed";
  api = found;
  found.register_log(&log_to_host);
  return {};
}

std::string version_of_package(const std::string& path) {
  namespace fs = std::filesystem;
  constexpr std::string_view kPrefix = "lightgbm-", kSuffix = ".dist-info";
  std::error_code error;
  // PACKAGES/lightgbm/lib/lib_lightgbm.so, and beside the package a folder lightgbm-4.7.0.dist-info.
  const fs::path packages = fs::path(path).parent_path().parent_path().parent_path();
  for (fs::directory_iterator it(packages, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with(kPrefix) && name.ends_with(kSuffix))
      return name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size());
  }
  return {};
}

void check(int result) {
  if (result != 0) throw backend::Error(MM_INTERNAL, "LightGBM: " + std::string(api.last_error()));
}

}  // namespace modelmill::lightgbm
