#include <algorithm>
#include <string_view>

#include "repository/foreign_layouts.h"
#include "repository/json_file.h"

namespace modelmill {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kModules = "modules.json";
constexpr const char* kBackend = "python";

bool is_weights(std::string_view name) {
  return name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") ||
         (name.starts_with("pytorch_model") && (name.ends_with(".bin") || name.ends_with(".bin.index.json")));
}

/// Transformers' config.json names the kind of model.
bool is_config(const std::string& file) {
  const auto config = JsonFile::read(file);
  return config.ok() && (config->text("/model_type") || config->text("/architectures/0"));
}

/// The file that makes the folder a model; empty when none does.
std::string main_file(const FolderListing& folder) {
  const auto any_file = [&](auto&& matches) { return std::any_of(folder.files.begin(), folder.files.end(), matches); };
  if (any_file([](std::string_view name) { return name.ends_with(".onnx"); })) return {};
  if (folder.has_file(kConfig) && any_file(is_weights) && is_config(folder.inside(kConfig))) return kConfig;
  // Its first module has a folder of its own.
  if (folder.has_file(kModules))
    if (const auto modules = JsonFile::read(folder.inside(kModules)); modules.ok() && modules->text("/0/type"))
      return kModules;
  return {};
}

}  // namespace

std::optional<FoundModel> look_for_hugging_face(const FolderListing& folder, std::span<const ModelFormat> formats) {
  const std::string file = main_file(folder);
  if (file.empty()) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kHuggingFace;
  model.versions.push_back({1, model.directory, folder.inside(file)});
  model.layers.push_back(text_layer("backend", kBackend, folder.inside(file)));
  if (!is_installed(kBackend, formats))
    model.refuse(missing_backend(model.name, "folder of Hugging Face", kBackend, folder.inside(file)));
  return model;
}

}  // namespace modelmill
