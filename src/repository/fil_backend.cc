#include "repository/fil_backend.h"

#include <string_view>

#include "repository/model_files.h"

namespace modelmill {
namespace {

constexpr const char* kFil = "fil";

struct ModelType {
  std::string_view name;
  std::string_view backend;
  std::string_view default_file;
};
constexpr ModelType kModelTypes[] = {{"xgboost", "xgboost", "xgboost.model"},
                                     {"xgboost_json", "xgboost", "xgboost.json"},
                                     {"xgboost_ubj", "xgboost", "xgboost.ubj"},
                                     {"lightgbm", "lightgbm", "model.txt"}};

}  // namespace

Result<BackendPlugin> plugin_of(const ModelDefinition& definition, const FoundVersion& version,
                                std::span<const ModelFormat> formats) {
  if (definition.backend != kFil || is_installed(kFil, formats)) return BackendPlugin{definition.backend, {}};
  const auto given = definition.parameters.find("model_type");
  if (given == definition.parameters.end()) {
    ModelDefinition open = definition;
    open.backend.clear();
    auto backend = infer_backend(open, version, formats);
    if (!backend.ok()) return backend.status();
    if (*backend != "xgboost" && *backend != "lightgbm")
      return invalid_argument("model '" + definition.name + "': backend 'fil' runs trees of XGBoost or LightGBM, and " +
                              "its file is one of backend '" + *backend + "'; leave the backend out");
    return BackendPlugin{*std::move(backend), {}};
  }
  std::string known;
  for (const ModelType& type : kModelTypes) {
    if (given->second == type.name) return BackendPlugin{std::string(type.backend), std::string(type.default_file)};
    known += (known.empty() ? "" : ", ") + std::string(type.name);
  }
  return invalid_argument("model '" + definition.name + "': parameter model_type is '" + given->second +
                          "'; of backend 'fil' these are served: " + known +
                          ". Save the model as its own library does, or export it to ONNX");
}

}  // namespace modelmill
