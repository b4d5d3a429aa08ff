#include "repository/foreign_layouts.h"

#include <string_view>

#include "repository/saved_model.h"

namespace modelmill {

ConfigProblem missing_backend(const std::string& model, const std::string& what, const std::string& backend,
                              const std::string& place, std::span<const ModelFormat> formats) {
  return {Code::kFailedPrecondition, place,
          "model '" + model + "' (" + what + ") needs " + unserved_text(backend, formats)};
}

std::optional<FoundModel> look_for_saved_model(const FolderListing& folder, std::span<const ModelFormat> formats) {
  constexpr const char* kBackend = "tensorflow";
  constexpr std::string_view kEnding = ".savedmodel";
  if (!folder.has_file(kSavedModelFile)) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  if (model.name.ends_with(kEnding) && model.name.size() > kEnding.size())
    model.name.resize(model.name.size() - kEnding.size());
  model.directory = folder.path.string();
  model.layout = ModelLayout::kFolder;
  model.versions.push_back({1, model.directory, {}});
  model.layers.push_back(text_layer("default_model_filename", kSavedModelFile, folder.inside(kSavedModelFile)));
  if (backend_of_file(folder.inside(kSavedModelFile), formats).empty())
    model.refuse(missing_backend(model.name, "TensorFlow SavedModel", kBackend, folder.inside(kSavedModelFile)));
  return model;
}

}  // namespace modelmill
