#include "cli/migrate/model_place.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "model/yaml_config.h"
#include "repository/folder_listing.h"
#include "repository/saved_model.h"
#include "repository/version_files.h"
#include "repository/version_text.h"

namespace modelmill {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPython = "python";

std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path whole = fs::absolute(path, error).lexically_normal();
  std::string text = error ? path : whole.string();
  while (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::string last_part(const std::string& path) { return fs::path(absolute(path)).filename().string(); }

/// What other servers call a configuration; ours takes its place.
bool is_configuration(const std::string& name) {
  return name == "config.pbtxt" || name == "configs" || name == kYamlConfigFile;
}

/// What lies beside versions: labels, data of warm-up requests, a backend of the model's own.
Status add_side_files(const FoundModel& model, std::vector<MovedFile>& files) {
  MM_ASSIGN_OR_RETURN(const FolderListing folder, list_folder(model.directory));
  for (const auto* names : {&folder.files, &folder.folders})
    for (const std::string& name : *names)
      if (!name.starts_with('.') && !is_configuration(name) && !is_all_digits(name))
        files.push_back({name, absolute(folder.inside(name))});
  return ok_status();
}

/// A model file by itself, with what belongs to it.
Status add_single_file(const FoundModel& model, const FoundVersion& version, std::vector<MovedFile>& files) {
  FingerprintOptions options;
  options.with_configuration = false;
  MM_ASSIGN_OR_RETURN(const VersionFingerprint found, fingerprint(model, version, options));
  std::error_code ignored;
  for (const FileStamp& file : found.files)
    if (fs::exists(file.path, ignored))
      files.push_back({std::to_string(version.version) + "/" + last_part(file.path), absolute(file.path)});
  return ok_status();
}

Result<ModelPlace> place_in_versions(const FoundModel& model) {
  ModelPlace out;
  bool loose = false;  // the model's files lie beside its configuration
  for (const FoundVersion& version : model.versions) {
    const bool saved_model = fs::exists(fs::path(version.directory) / kSavedModelFile);
    if (!version.file.empty() && fs::is_regular_file(version.file)) {
      MM_RETURN_IF_ERROR(add_single_file(model, version, out.files));
    } else if (model.layout == ModelLayout::kFolder && version.directory == model.directory && !saved_model) {
      loose = true;
    } else {
      out.files.push_back({std::to_string(version.version), absolute(version.directory)});
    }
  }
  const bool has_sides = model.layout == ModelLayout::kFolder &&
                         (loose || std::none_of(model.versions.begin(), model.versions.end(), [&](const auto& version) {
                            return version.directory == model.directory;
                          }));
  if (has_sides) MM_RETURN_IF_ERROR(add_side_files(model, out.files));
  return out;
}

/// The archives and folders of a model as they are, together in a folder where there are several.
ModelPlace place_as_it_is(const FoundModel& model, const std::function<bool(const std::string&)>& is_packed) {
  std::vector<std::string> sources = model.archives;
  for (const FoundVersion& version : model.versions)
    if (!is_packed(version.directory)) sources.push_back(version.directory);
  if (model.layout != ModelLayout::kTorchserve && model.archives.empty()) sources = {model.directory};
  ModelPlace out;
  if (sources.size() == 1) {
    out.path = model.archives.empty() ? "model" : last_part(sources[0]);
    out.files.push_back({out.path, absolute(sources[0])});
    return out;
  }
  out.path = "versions";
  std::set<std::string> names;
  for (const std::string& source : sources) {
    std::string name = last_part(source);
    for (int i = 2; !names.insert(name).second; ++i) name = std::to_string(i) + "-" + last_part(source);
    out.files.push_back({out.path + "/" + name, absolute(source)});
  }
  return out;
}

}  // namespace

Result<ModelPlace> place_of_model(const FoundModel& model, const std::string& backend,
                                  const std::function<bool(const std::string& folder)>& is_packed) {
  const bool foreign = model.layout != ModelLayout::kFile && model.layout != ModelLayout::kFolder;
  const bool as_it_is = !model.archives.empty() || model.layout == ModelLayout::kTorchserve ||
                        model.layout == ModelLayout::kHuggingFace || (foreign && backend == kPython);
  try {
    return as_it_is ? Result<ModelPlace>(place_as_it_is(model, is_packed)) : place_in_versions(model);
  } catch (const fs::filesystem_error& error) {
    return failed_precondition("model '" + model.name + "': its files can't be looked at: " + error.what());
  }
}

}  // namespace modelmill
