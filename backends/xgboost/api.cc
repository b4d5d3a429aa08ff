#include "api.h"

#include "support/vendor_library.h"

namespace modelmill::xgboost {

Api api;

std::string bind_api(void* handle, const std::string& path) {
  using backend::bind_symbol;
  Api found{};
  const char* missing = nullptr;
  const auto take = [&](const char* name, auto& function) {
    if (!bind_symbol(handle, name, function) && missing == nullptr) missing = name;
  };
  take("XGBGetLastError", found.last_error);
  take("XGBoostVersion", found.version);
  take("XGBoosterCreate", found.create);
  take("XGBoosterFree", found.free);
  take("XGBoosterSetParam", found.set_parameter);
  take("XGBoosterLoadModelFromBuffer", found.load_from_buffer);
  take("XGBoosterSaveJsonConfig", found.save_config);
  take("XGBoosterGetNumFeature", found.feature_count);
  take("XGBoosterGetStrFeatureInfo", found.feature_info);
  take("XGBoosterGetAttr", found.attribute);
  take("XGBoosterPredictFromDense", found.predict_dense);
  take("XGBoosterPredictFromDMatrix", found.predict_matrix);
  take("XGProxyDMatrixCreate", found.make_proxy);
  take("XGDMatrixCreateFromDense", found.make_matrix);
  take("XGDMatrixFree", found.free_matrix);
  if (missing != nullptr)
    return path + " does not export " + missing + ": it is not XGBoost, or one older than 1.7, which is needed";
  api = found;
  return {};
}

std::string library_version() {
  int major = 0, minor = 0, patch = 0;
  api.version(&major, &minor, &patch);
  return std::to_string(major) + '.' + std::to_string(minor) + '.' + std::to_string(patch);
}

void check(int result) {
  if (result == 0) return;
  // The first line says it; what follows is the library's own stack.
  std::string text = api.last_error();
  if (const size_t stack = text.find("Stack trace"); stack != std::string::npos) text.resize(stack);
  if (text.starts_with('[')) text.erase(0, text.find("] ") == std::string::npos ? 0 : text.find("] ") + 2);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  throw backend::Error(MM_INTERNAL, "XGBoost: " + text);
}

}  // namespace modelmill::xgboost
