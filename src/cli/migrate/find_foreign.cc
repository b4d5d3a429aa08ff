#include "cli/migrate/find_foreign.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "model/tf_serving_config.h"
#include "model/triton_config.h"
#include "model/yaml_config.h"
#include "repository/find_config_file.h"
#include "repository/folder_listing.h"
#include "repository/saved_model.h"
#include "repository/torchserve_models.h"
#include "repository/torchserve_properties.h"
#include "repository/version_folders.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

/// A model_config_file, by its name: such files have any ending that says "text".
bool is_config_list(const fs::path& path) {
  const std::string ending = path.extension().string();
  return is_file(path) && (ending == ".config" || ending == ".conf" || ending == ".pbtxt");
}

Result<FoundModels> find_in_properties(const std::string& file, std::span<const ModelFormat> formats,
                                       const FindOptions& options) {
  MM_ASSIGN_OR_RETURN(const TorchserveStartup startup, read_torchserve_startup(file, process_variables()));
  std::vector<std::string> paths = startup.paths;
  if (paths.empty() && !startup.store.empty()) paths = {startup.store};
  if (paths.empty())
    return invalid_argument("'" + file + "' names no models: give it a model_store, or name the store itself");
  for (const std::string& path : paths)
    if (is_url_entry(path))
      return invalid_argument("'" + file + "' loads '" + path +
                              "', which is elsewhere: put that archive into the "
                              "model_store and name it by its file");
  MM_ASSIGN_OR_RETURN(FoundModels found, find_models(paths, formats, options));
  for (FoundModel& model : found.models) {
    lay_below(model, startup.models);
    model.config_files.push_back(file);
  }
  return found;
}

/// A base path of TensorFlow Serving's, "NAME=PATH" or named as its folder. nullopt: it is none.
std::optional<TfServingModel> base_path_of(const std::string& text) {
  std::error_code ignored;
  const size_t equals = fs::exists(text, ignored) ? std::string::npos : text.find('=');
  TfServingModel out;
  out.base_path = equals == std::string::npos ? text : text.substr(equals + 1);
  const auto folder = list_folder(out.base_path);
  if (!folder.ok() || find_version_folders(*folder, VersionNames::kTfServing).versions.empty()) return std::nullopt;
  out.name = equals == std::string::npos ? folder->name() : text.substr(0, equals);
  out.place = out.base_path;
  out.layer.place_of = [place = out.base_path](const std::string&) { return place; };
  return out;
}

Result<FoundModels> find_base_path(TfServingModel model, std::span<const ModelFormat> formats,
                                   const FindOptions& options) {
  MM_RETURN_IF_ERROR(check_model_name(model.name));
  TfServingConfig list;
  list.models.push_back(std::move(model));
  return find_listed_models(std::move(list), {}, formats, nullptr, options);
}

bool is_own(const FoundModel& model) {
  return std::any_of(model.config_files.begin(), model.config_files.end(),
                     [](const std::string& file) { return fs::path(file).filename() == kYamlConfigFile; });
}

/// Only archives and folders of TorchServe's are nobody else's; the other layouts may stand for each other.
Status check_system(const FoundModels& found, MigratedSystem wanted) {
  for (const FoundModel& model : found.models) {
    const MigratedSystem system = system_of(model);
    const bool folders_of_both =
        wanted == MigratedSystem::kTensorflow && system == MigratedSystem::kTriton && model.config_file.empty();
    if (wanted != MigratedSystem::kAny && system != wanted && !folders_of_both)
      return invalid_argument("model '" + model.name + "' is not laid out as " + system_title(wanted) +
                              " has it, but as " + system_title(system) + "; leave --from out, or correct the path");
  }
  return ok_status();
}

}  // namespace

const char* system_title(MigratedSystem system) {
  switch (system) {
    case MigratedSystem::kTriton: return "Triton";
    case MigratedSystem::kTensorflow: return "TensorFlow Serving";
    case MigratedSystem::kTorchserve: return "TorchServe";
    case MigratedSystem::kMlflow: return "MLflow";
    case MigratedSystem::kMlserver: return "MLServer";
    case MigratedSystem::kAny: break;
  }
  return "plain files";
}

MigratedSystem system_of(const FoundModel& model) {
  switch (model.layout) {
    case ModelLayout::kMlflow: return MigratedSystem::kMlflow;
    case ModelLayout::kMlserver: return MigratedSystem::kMlserver;
    case ModelLayout::kTorchserve: return MigratedSystem::kTorchserve;
    case ModelLayout::kFile:
    case ModelLayout::kHuggingFace: return MigratedSystem::kAny;
    case ModelLayout::kFolder: break;
  }
  if (!model.config_file.empty()) return MigratedSystem::kTriton;
  // A list of TensorFlow Serving's names the folder, and nothing else names one that has no configuration.
  const bool saved = !model.versions.empty() &&
                     std::all_of(model.versions.begin(), model.versions.end(), [](const FoundVersion& version) {
                       return is_file(fs::path(version.directory) / kSavedModelFile);
                     });
  return saved || !model.config_files.empty() ? MigratedSystem::kTensorflow : MigratedSystem::kTriton;
}

Result<FoundModels> find_foreign_models(const std::string& path, MigratedSystem system,
                                        std::span<const ModelFormat> formats, const FindOptions& options) {
  const bool list = (system == MigratedSystem::kAny || system == MigratedSystem::kTensorflow) && is_config_list(path);
  auto base = system == MigratedSystem::kTensorflow ? base_path_of(path) : std::nullopt;
  auto found = base                                              ? find_base_path(*std::move(base), formats, options)
               : is_file(path) && is_torchserve_properties(path) ? find_in_properties(path, formats, options)
               : list ? find_models_of_config_file(path, formats, nullptr, options)
                      : find_models({path}, formats, options);
  if (!found.ok()) return found;
  for (const FoundModel& model : found->models)
    if (is_own(model))
      return invalid_argument("model '" + model.name + "' has a " + kYamlConfigFile + " already; `modelmill serve " +
                              path + "` serves it");
  MM_RETURN_IF_ERROR(check_system(*found, system));
  return found;
}

}  // namespace modelmill
