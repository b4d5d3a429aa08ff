#include "api.h"

#include "support/vendor_library.h"

namespace modelmill::xgboost {

Api api;

std::string bind_api(void* handle, const std::string& path) {
  Api found{};
  backend::Symbols symbols(handle);
  symbols.get(found.last_error, "XGBGetLastError");
  symbols.get(found.version, "XGBoostVersion");
  symbols.get(found.create, "XGBoosterCreate");
  symbols.get(found.free, "XGBoosterFree");
  symbols.get(found.set_parameter, "XGBoosterSetParam");
  symbols.get(found.load_from_buffer, "XGBoosterLoadModelFromBuffer");
  symbols.get(found.save_config, "XGBoosterSaveJsonConfig");
  symbols.get(found.feature_count, "XGBoosterGetNumFeature");
  symbols.get(found.feature_info, "XGBoosterGetStrFeatureInfo");
  symbols.get(found.attribute, "XGBoosterGetAttr");
  symbols.get(found.predict_dense, "XGBoosterPredictFromDense");
  symbols.get(found.predict_matrix, "XGBoosterPredictFromDMatrix");
  symbols.get(found.make_proxy, "XGProxyDMatrixCreate");
  symbols.get(found.make_matrix, "XGDMatrixCreateFromDense");
  symbols.get(found.free_matrix, "XGDMatrixFree");
  if (!symbols.missing().empty())
    return path + " does not export " + symbols.missing() +
           ": it is not XGBoost, or one older than 1.7, which is needed";
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
