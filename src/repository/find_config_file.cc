#include "repository/find_config_file.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <set>
#include <utility>

#include "repository/folder_listing.h"
#include "repository/model_files.h"
#include "repository/version_folders.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

constexpr uint64_t kMostOfConfigFile = 16 << 20;

/// Where the base path can be looked at here; a problem of the model otherwise. False: not yet.
bool open_base_path(const TfServingModel& entry, const std::string& file, const FindOptions& options,
                    FoundModel& model) {
  model.directory = entry.base_path;
  if (!is_remote_url(entry.base_path)) return true;
  if (!options.open_url) {
    model.refuse({Code::kUnimplemented, entry.place, "base_path is a URL, which isn't followed here"});
    return true;
  }
  const LocalCopy copy = options.open_url(entry.base_path, file);
  model.directory = copy.path;
  model.held.push_back(copy.held);
  if (!copy.problem.ok()) model.refuse({copy.problem.code(), entry.place, "base_path: " + copy.problem.message()});
  return !copy.path.empty() || !copy.problem.ok();
}

/// nullopt: it is elsewhere, and can't be looked at yet.
std::optional<FoundModel> find_model(TfServingModel& entry, const std::string& file, const FindOptions& options,
                                     std::vector<std::string>& notes) {
  FoundModel model;
  model.name = entry.name;
  model.layout = ModelLayout::kFolder;
  if (!file.empty()) model.config_files.push_back(file);
  for (const ConfigProblem& problem : entry.problems) model.refuse(problem);
  if (model.problem.ok() && !open_base_path(entry, file, options, model)) return std::nullopt;
  if (!model.problem.ok()) return model;
  const auto folder = list_folder(model.directory);
  if (!folder.ok()) {
    model.refuse({folder.status().code(), entry.place, "base_path: " + folder.status().message()});
    return model;
  }
  VersionFolders found = find_version_folders(*folder, VersionNames::kTfServing);
  std::move(found.notes.begin(), found.notes.end(), std::back_inserter(notes));
  model.versions = std::move(found.versions);
  if (found.problem) model.refuse(*found.problem);
  model.layers.push_back(std::move(entry.layer));
  return model;
}

}  // namespace

Result<FoundModels> find_models_of_config_file(const std::string& path, std::span<const ModelFormat> formats,
                                               const ModelLayer* batching, const FindOptions& options) {
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(path, kMostOfConfigFile));
  TfServingConfig config = read_tf_serving_config(text, path);
  if (!config.problems.empty()) return status_of(config.problems.front());
  return find_listed_models(std::move(config), path, formats, batching, options);
}

FoundModels find_listed_models(TfServingConfig list, const std::string& file, std::span<const ModelFormat> formats,
                               const ModelLayer* batching, const FindOptions& options) {
  FoundModels out;
  out.notes = std::move(list.notes);
  std::set<std::string> names;
  for (TfServingModel& entry : list.models) {
    if (!names.insert(entry.name).second) {
      const auto known = std::find_if(out.models.begin(), out.models.end(),
                                      [&](const FoundModel& model) { return model.name == entry.name; });
      if (known != out.models.end())
        known->refuse({Code::kAlreadyExists, entry.place,
                       "there are two models named '" + entry.name + "': '" + known->directory + "' and '" +
                           entry.base_path + "'; rename one of them"});
      continue;
    }
    std::optional<FoundModel> model = find_model(entry, file, options, out.notes);
    if (!model) continue;
    if (batching != nullptr) model->layers.insert(model->layers.begin(), *batching);
    const std::string& backend = model->layers.empty() ? std::string() : model->layers.back().config.backend();
    if (!backend.empty() && !is_installed(backend, formats))
      model->refuse(
          {Code::kFailedPrecondition, entry.place, "model '" + model->name + "' needs " + not_installed_text(backend)});
    out.models.push_back(*std::move(model));
  }
  std::sort(out.models.begin(), out.models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

}  // namespace modelmill
