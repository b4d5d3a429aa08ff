#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string_view>
#include <utility>

#include "repository/foreign_layouts.h"
#include "repository/json_file.h"
#include "repository/model_files.h"
#include "repository/version_text.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSettingsFile = "model-settings.json";

constexpr const char* kPythonBackend = "python";

struct Runtime {
  std::string_view package;  // that `implementation` begins with
  std::string_view backend;
  std::string_view files;  // that it looks for where no uri names one, separated by blanks
};

/// Implementations that are not here are Python code of their own kind.
constexpr Runtime kRuntimes[] = {{"mlserver_xgboost.", "xgboost", "model.bst model.json model.ubj"},
                                 {"mlserver_lightgbm.", "lightgbm", "model.bst"},
                                 {"mlserver_sklearn.", kPythonBackend, "model.joblib model.pickle model.pkl"},
                                 {"mlserver_catboost.", kPythonBackend, "model.cbm"}};

const Runtime* find_runtime(const std::string& implementation) {
  const auto found = std::find_if(std::begin(kRuntimes), std::end(kRuntimes),
                                  [&](const Runtime& runtime) { return implementation.starts_with(runtime.package); });
  return found != std::end(kRuntimes) ? found : nullptr;
}

/// The implementation is a class in a Python module of the folder's own: its author's code, which runs whatever the
/// file is that it loads.
bool is_code_here(const FolderListing& folder, const std::string& implementation) {
  const size_t dot = implementation.find('.');
  if (dot == 0 || dot == std::string::npos) return false;
  const std::string module = implementation.substr(0, dot);
  return folder.has_file(module + ".py") || folder.has_folder(module);
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

void read_cache(FoundModel& model, const JsonFile& settings, const std::string& file) {
  const auto enabled = settings.flag("/cache_enabled");
  if (!enabled) return;
  ModelLayer layer;
  layer.fields.insert("response_cache");
  layer.config.mutable_response_cache()->set_enable(*enabled);
  layer.place_of = [file](const std::string&) { return file; };
  model.layers.push_back(std::move(layer));
}

/// What a runtime loads where nothing names a file; empty when there is no such file.
std::string usual_file(const FolderListing& folder, const Runtime* runtime) {
  std::istringstream names(std::string(runtime != nullptr ? runtime->files : ""));
  for (std::string name; names >> name;)
    if (folder.has_file(name)) return folder.inside(name);
  return {};
}

/// A folder of MLflow's or Hugging Face's. False when it is none.
bool read_folder(FoundModel& model, const std::string& path, const JsonFile& settings, const std::string& file,
                 std::span<const ModelFormat> formats) {
  const auto listing = list_folder(path);
  if (!listing.ok()) return false;
  auto found = look_for_mlflow(*listing, formats);
  if (!found) found = look_for_hugging_face(*listing, formats);
  if (!found) return false;
  for (const ConfigProblem& problem : found->problems) model.refuse(problem);
  model.layers.insert(model.layers.end(), found->layers.begin(), found->layers.end());
  model.versions.front().directory = found->directory;
  model.versions.front().file = found->versions.front().file;
  if (const auto task = settings.text("/parameters/extra/task"); task && !task->empty())
    model.layers.push_back(parameter_layer("task", *task, file));
  return true;
}

/// A path of the settings, as the class's own environment may be: relative to the folder.
std::string path_of_environment(const FolderListing& folder, const JsonFile& settings) {
  for (const char* const key : {"/parameters/environment_path", "/parameters/environment_tarball"})
    if (const std::string path = settings.text(key).value_or(""); !path.empty())
      return fs::path(path).is_absolute() ? path : fs::absolute(folder.path / path).lexically_normal().string();
  return {};
}

/// The class is run by a worker, which reads the settings itself.
void serve_class(FoundModel& model, const FolderListing& folder, const JsonFile& settings, const std::string& file,
                 std::span<const ModelFormat> formats) {
  const std::string implementation = settings.text("/implementation").value_or("");
  if (implementation.find('.') == std::string::npos)
    return model.refuse(
        {Code::kInvalidArgument, file,
         "implementation '" + implementation + "' names no class; write it as module.Class, such as models.MyModel"});
  if (!is_installed(kPythonBackend, formats))
    return model.refuse(missing_backend(model.name, "MLServer implementation " + implementation, kPythonBackend, file));
  model.versions.front().file = file;
  model.layers.push_back(text_layer("backend", kPythonBackend, file));
  if (const std::string path = path_of_environment(folder, settings); !path.empty())
    model.layers.push_back(parameter_layer("EXECUTION_ENV_PATH", path, file));
  if (const std::string workers = settings.text("/parallel_workers").value_or("");
      !workers.empty() && workers.find_first_not_of("0123456789") == std::string::npos && workers != "0")
    model.layers.push_back(parameter_layer("workers", workers, file));
}

void read_settings(FoundModel& model, const FolderListing& folder, std::span<const ModelFormat> formats) {
  const std::string file = folder.inside(kSettingsFile);
  const auto settings = JsonFile::read(file);
  if (!settings.ok()) return model.refuse({settings.status().code(), {}, settings.status().message()});
  if (const auto name = settings->text("/name"); name && !name->empty()) model.name = *name;
  read_version(model, *settings, file);
  read_cache(model, *settings, file);
  const std::string implementation = settings->text("/implementation").value_or("");
  const std::string uri = settings->text("/parameters/uri").value_or("");
  const auto path = path_of_uri(folder, uri.empty() ? "." : uri);
  if (!path.ok()) return model.refuse({path.status().code(), file, "parameters.uri: " + path.status().message()});
  if (uri.empty() && implementation.empty())
    return model.refuse({Code::kInvalidArgument, file,
                         "neither 'implementation' nor 'parameters.uri' tells what the model is; give one of them"});
  if (is_code_here(folder, implementation)) return serve_class(model, folder, *settings, file, formats);
  if (read_folder(model, *path, *settings, file, formats)) return;
  const Runtime* runtime = find_runtime(implementation);
  std::string backend = runtime != nullptr ? std::string(runtime->backend) : std::string(kForeignCode);
  if (const std::string found = uri.empty() ? usual_file(folder, runtime) : *path; !found.empty()) {
    // What the file is says more than who was to run it: ours may run it as well.
    const std::string known = backend_of_file(found, formats);
    if (!known.empty()) {
      backend = known;
      model.versions.front().file = found;
    }
  }
  if (runtime == nullptr && model.versions.front().file.empty() && !implementation.empty())
    return serve_class(model, folder, *settings, file, formats);
  if (!is_installed(backend, formats))
    return model.refuse(
        missing_backend(model.name, "MLServer implementation " + implementation, backend, file, formats));
  if (backend == kPythonBackend && model.versions.front().file.empty())
    return model.refuse({Code::kNotFound, file,
                         "there is no model for " + implementation + ": 'parameters.uri' names a file such as " +
                             std::string(runtime->files.substr(0, runtime->files.find(' ')))});
  model.layers.push_back(text_layer("backend", backend, file));
  // MLServer loads these as estimators, whose predict() gives the classes of a classifier.
  if (backend == "xgboost" && implementation.starts_with("mlserver_xgboost."))
    model.layers.push_back(parameter_layer("output", "predict", file));
  // Its clients send FP32 and read `predict`.
  if (backend == kPythonBackend && runtime != nullptr) {
    model.layers.push_back(parameter_layer("outputs", "predict", file));
    model.layers.push_back(parameter_layer("input_type", "FP32", file));
  }
}

}  // namespace

std::optional<FoundModel> look_for_mlserver(const FolderListing& folder, std::span<const ModelFormat> formats) {
  if (!folder.has_file(kSettingsFile)) return std::nullopt;
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kMlserver;
  model.versions.push_back({1, model.directory, {}});
  model.config_files.push_back(folder.inside(kSettingsFile));
  read_settings(model, folder, formats);
  return model;
}

}  // namespace modelmill
