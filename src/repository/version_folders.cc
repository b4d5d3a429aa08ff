#include "repository/version_folders.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "model/yaml_config.h"
#include "repository/saved_model.h"
#include "repository/version_text.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfigFile = "config.pbtxt";

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::string config_file_of(const FolderListing& folder, const std::string& config_name) {
  if (!config_name.empty())
    if (const fs::path own = folder.path / "configs" / (config_name + ".pbtxt"); is_there(own)) return own.string();
  return folder.has_file(kConfigFile) ? folder.inside(kConfigFile) : std::string();
}

}  // namespace

VersionNames version_names_of(const FolderListing& folder) {
  bool any = false;
  for (const std::string& name : folder.folders) {
    if (!version_number(name, true)) continue;
    if (!is_there(folder.path / name / kSavedModelFile)) return VersionNames::kTriton;
    any = true;
  }
  return any ? VersionNames::kTfServing : VersionNames::kTriton;
}

VersionFolders find_version_folders(const FolderListing& folder, VersionNames names) {
  VersionFolders out;
  for (const std::string& name : folder.folders) {
    if (const auto number = version_number(name, names == VersionNames::kTfServing)) {
      out.versions.push_back({*number, folder.inside(name), {}});
    } else if (is_all_digits(name)) {
      out.notes.push_back("version folder '" + folder.inside(name) + "' is passed over: versions are written " +
                          (names == VersionNames::kTriton ? "without leading zeros, " : "") +
                          "from 1 on, within 63 bits");
    }
  }
  std::sort(out.versions.begin(), out.versions.end(),
            [](const auto& a, const auto& b) { return a.version < b.version; });
  const auto same = std::adjacent_find(out.versions.begin(), out.versions.end(),
                                       [](const auto& a, const auto& b) { return a.version == b.version; });
  if (same == out.versions.end()) return out;
  out.problem = ConfigProblem{Code::kAlreadyExists, folder.path.string(),
                              "there are two folders of version " + std::to_string(same->version) + ": '" +
                                  same->directory + "' and '" + std::next(same)->directory + "'; remove one of them"};
  out.versions.erase(std::unique(out.versions.begin(), out.versions.end(),
                                 [](const auto& a, const auto& b) { return a.version == b.version; }),
                     out.versions.end());
  return out;
}

std::optional<FoundModel> look_for_versions(const FolderListing& folder, std::span<const ModelFormat> formats,
                                            const std::string& config_name, std::vector<std::string>& notes) {
  FoundModel model;
  model.name = folder.name();
  model.directory = folder.path.string();
  model.layout = ModelLayout::kFolder;
  model.config_file = config_file_of(folder, config_name);
  VersionFolders found = find_version_folders(folder, version_names_of(folder));
  if (model.config_file.empty() && found.versions.empty() && !folder.has_file(kYamlConfigFile)) return std::nullopt;
  std::move(found.notes.begin(), found.notes.end(), std::back_inserter(notes));
  model.versions = std::move(found.versions);
  if (found.problem) model.refuse(*found.problem);
  if (!model.config_file.empty()) model.config_files.push_back(model.config_file);
  // A configuration beside the model file itself, without a version folder: version 1. Ours may do without a file.
  const bool loose = std::any_of(folder.files.begin(), folder.files.end(), [&](const auto& name) {
    return !backend_of_file(folder.inside(name), formats).empty();
  });
  const bool own_only = model.config_file.empty();
  if (model.versions.empty() && (loose || own_only)) model.versions.push_back({1, model.directory, {}});
  return model;
}

}  // namespace modelmill
