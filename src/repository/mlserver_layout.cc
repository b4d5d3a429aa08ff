#include <filesystem>
#include <string_view>
#include <utility>

#include "repository/foreign_layouts.h"
#include "repository/json_file.h"
#include "repository/model_files.h"
#include "repository/version_text.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFile = "model-settings.json";

struct Runtime {
  std::string_view package;  // that `implementation` begins with
  std::string_view backend;
};

/// Implementations that are not here are Python's.
constexpr Runtime kRuntimes[] = {{"mlserver_xgboost.", "xgboost"}, {"mlserver_lightgbm.", "lightgbm"}};

std::string backend_of_implementation(const std::string& implementation) {
  for (const Runtime& runtime : kRuntimes)
    if (implementation.starts_with(runtime.package)) return std::string(runtime.backend);
  return std::string(kForeignCode);
}

/// The model's path below the folder: as it is written, or the end of an absolute one that lies there.
Result<std::string> path_of_uri(const FolderListing& folder, const std::string& uri) {
  fs::path path = fs::path(uri).lexically_normal();
  if (path.is_absolute()) {
    std::error_code error;
    const fs::path real = fs::canonical(folder.path, error);
    path = path.lexically_relative(error ? folder.path : real);
  }
  return path_inside(folder.path.string(), path.empty() ? uri : path.string());
}

void read_version(FoundModel& model, const JsonFile& settings, const std::string& file) {
  const std::string text = settings.text("/parameters/version").value_or("");
  if (text.empty()) return;
  model.versions.front().version = number_of_version_text(text.substr(text.starts_with('v') ? 1 : 0)).value_or(1);
  ModelLayer layer;
  layer.labels = VersionLabels{{text, model.versions.front().version}};
  layer.place_of = [file](const std::string&) { return file; };
  model.layers.push_back(std::move(layer));
}

void read_settings(FoundModel& model, const FolderListing& folder, std::span<const ModelFormat> formats) {
  const std::string file = folder.inside(kFile);
  const auto settings = JsonFile::read(file);
  if (!settings.ok()) return model.refuse({settings.status().code(), {}, settings.status().message()});
  if (const auto name = settings->text("/name"); name && !name->empty()) model.name = *name;
  read_version(model, *settings, file);
  const std::string implementation = settings->text("/implementation").value_or("");
  std::string backend = backend_of_implementation(implementation);
  const std::string uri = settings->text("/parameters/uri").value_or("");
  if (!uri.empty()) {
    const auto path = path_of_uri(folder, uri);
    if (!path.ok()) return model.refuse({path.status().code(), file, "parameters.uri: " + path.status().message()});
    // What the file is says more than who was to run it: ours may run it as well.
    const std::string known = backend_of_file(*path, formats);
    if (!known.empty()) {
      backend = known;
      model.versions.front().file = *path;
    }
  } else if (implementation.empty()) {
    return model.refuse(
        {Code::kInvalidArgument, file, "neither 'implementation' nor 'parameters.uri' tells what the model is"});
  }
  if (backend == kForeignCode || !is_installed(backend, formats))
    return model.refuse(
        missing_backend(model.name, "MLServer implementation " + implementation, backend, file, formats));
  model.layers.push_back(text_layer("backend", backend, file));
  // MLServer loads these as estimators, whose predict() gives the classes of a classifier.
  if (backend == "xgboost" && implementation.starts_with("mlserver_xgboost."))
    model.layers.push_back(parameter_layer("output", "predict", file));
}

}  // namespace

std::optional<FoundModel> look_for_mlserver(const FolderListing& folder, std::span<const ModelFormat> formats) {
  if (!folder.has_file(kFile)) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kMlserver;
  model.versions.push_back({1, model.directory, {}});
  model.config_files.push_back(folder.inside(kFile));
  read_settings(model, folder, formats);
  return model;
}

}  // namespace modelmill
