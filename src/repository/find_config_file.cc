#include "repository/find_config_file.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "model/tf_serving_config.h"
#include "repository/folder_listing.h"
#include "repository/model_files.h"
#include "repository/version_folders.h"

namespace modelmill {
namespace {

constexpr uint64_t kLimit = 16 << 20;

FoundModel find_model(TfServingModel& entry, const std::string& file, std::vector<std::string>& notes) {
  FoundModel model;
  model.name = entry.name;
  model.directory = entry.base_path;
  model.layout = ModelLayout::kFolder;
  model.config_files.push_back(file);
  for (const ConfigProblem& problem : entry.problems) model.refuse(problem);
  if (!model.problem.ok()) return model;
  const auto folder = list_folder(entry.base_path);
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
                                               const ModelLayer* batching) {
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(path, kLimit));
  TfServingConfig config = read_tf_serving_config(text, path);
  if (!config.problems.empty()) return status_of(config.problems.front());
  FoundModels out;
  out.notes = std::move(config.notes);
  std::set<std::string> names;
  for (TfServingModel& entry : config.models) {
    if (!names.insert(entry.name).second) {
      const auto known = std::find_if(out.models.begin(), out.models.end(),
                                      [&](const FoundModel& model) { return model.name == entry.name; });
      known->refuse({Code::kAlreadyExists, entry.place,
                     "there are two models named '" + entry.name + "': '" + known->directory + "' and '" +
                         entry.base_path + "'; rename one of them"});
      continue;
    }
    FoundModel model = find_model(entry, path, out.notes);
    if (batching != nullptr) model.layers.insert(model.layers.begin(), *batching);
    const std::string& backend = model.layers.empty() ? std::string() : model.layers.back().config.backend();
    if (!backend.empty() && !is_installed(backend, formats))
      model.refuse(
          {Code::kFailedPrecondition, entry.place, "model '" + model.name + "' needs " + not_installed_text(backend)});
    out.models.push_back(std::move(model));
  }
  std::sort(out.models.begin(), out.models.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

}  // namespace modelmill
