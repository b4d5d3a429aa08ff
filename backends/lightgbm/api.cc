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
  using backend::bind_symbol;
  Api found{};
  const char* missing = nullptr;
  const auto take = [&](const char* name, auto& function) {
    if (!bind_symbol(handle, name, function) && missing == nullptr) missing = name;
  };
  take("LGBM_GetLastError", found.last_error);
  take("LGBM_RegisterLogCallback", found.register_log);
  take("LGBM_BoosterCreateFromModelfile", found.load);
  take("LGBM_BoosterFree", found.free);
  take("LGBM_BoosterGetNumClasses", found.class_count);
  take("LGBM_BoosterGetNumFeature", found.feature_count);
  take("LGBM_BoosterGetFeatureNames", found.feature_names);
  take("LGBM_BoosterCalcNumPredict", found.result_count);
  take("LGBM_BoosterPredictForMat", found.predict_rows);
  take("LGBM_BoosterPredictForMatSingleRowFastInit", found.prepare_fast);
  take("LGBM_BoosterPredictForMatSingleRowFast", found.predict_fast);
  take("LGBM_FastConfigFree", found.free_fast);
  if (missing != nullptr)
    return path + " does not export " + missing + ": it is not LightGBM, or one older than 3.3, which is needed";
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
