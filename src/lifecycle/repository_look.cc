#include "lifecycle/repository_look.h"

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "lifecycle/key_digest.h"
#include "lifecycle/lies_in.h"
#include "model/definition_key.h"
#include "model/tf_serving_config.h"
#include "repository/archive_name.h"
#include "repository/find_config_file.h"
#include "repository/model_files.h"
#include "repository/torchserve_properties.h"
#include "repository/version_files.h"
#include "storage/source_url.h"

namespace modelmill {

Result<std::string> version_stamp(const FoundModel& found, const FoundVersion& version,
                                  const ModelDefinition& definition) {
  FingerprintOptions options;
  options.with_configuration = false;  // by what it says, below
  for (const ConfiguredTensor& output : definition.outputs)
    if (!output.label_filename.empty()) options.side_files.push_back(output.label_filename);
  MM_ASSIGN_OR_RETURN(const VersionFingerprint files, fingerprint(found, version, options));
  KeyDigest digest;
  for (const FileStamp& file : files.files) {
    digest.add(file.path);
    for (const int64_t number : {static_cast<int64_t>(file.device), static_cast<int64_t>(file.inode), file.size,
                                 file.modified_ns, file.changed_ns})
      digest.add(&number, sizeof number);
  }
  digest.add(making_key(definition));
  digest.add(found.untrusted ? "untrusted" : "");
  return digest.hex();
}

bool SeenModel::watched() const {
  const bool own = std::any_of(found.config_files.begin(), found.config_files.end(),
                               [](const std::string& file) { return file.ends_with("modelmill.yaml"); });
  return own || found.directory.empty() || !found.archives.empty() ||
         (found.config_file.empty() && !found.in_repository);
}

SeenModel look_at(FoundModel found, const LookOptions& options) {
  SeenModel seen;
  seen.found = std::move(found);
  seen.problem = seen.found.problem;
  if (!seen.problem.ok()) return seen;
  ModelConfiguration configuration = read_configuration(seen.found);
  for (const ConfigProblem& note : configuration.notes) seen.notes.push_back(status_of(note).message());
  if (!configuration.problems.empty()) {
    seen.problem = status_of(configuration.problems.front());
    return seen;
  }
  ModelDefinition& definition = configuration.definition;
  const VersionChoice choice = choose_versions(definition.version_policy, seen.found.versions);
  seen.missing = choice.missing;
  if (choice.versions.empty()) {
    seen.problem = invalid_argument("at least one version must be available under the version policy of model '" +
                                    definition.name + "': expected folders named by a number, such as 1, in '" +
                                    seen.found.directory + "'");
    return seen;
  }
  for (const FoundVersion& version : choice.versions) {
    if (options.fetch)
      if (const Status fetched = options.fetch(definition.name, version); !fetched.ok()) {
        seen.problem = fetched.with_context("model '" + definition.name + "', version " +
                                            std::to_string(version.version) + " can't be brought here");
        return seen;
      }
    const auto stamp = version_stamp(seen.found, version, definition);
    // What vanishes while it is looked at comes to light when it is loaded.
    seen.wanted.push_back({version.version, stamp.ok() ? *stamp : "unreadable"});
    seen.places.emplace(version.version, version);
  }
  seen.definition = std::move(definition);
  return seen;
}

namespace {

constexpr uint64_t kMostOfBatchingFile = 1 << 20;

/// The copy of what is at a URL that such a file names.
LocalCopy copy_of_entry(const std::string& entry, const std::string& file, const FindOptions& options) {
  const std::string url = url_of_entry(entry);
  if (!options.open_url) return {{}, {}, unimplemented("'" + url + "' is a URL, which isn't followed here")};
  return options.open_url(url, file);
}

/// Whether a model, or a version of it, is made of what lies at a path.
bool is_part_of(const FoundModel& model, const std::string& path) {
  const auto lies_there = [&](const std::string& file) { return lies_in(file, path); };
  return std::any_of(model.archives.begin(), model.archives.end(), lies_there) ||
         std::any_of(model.versions.begin(), model.versions.end(),
                     [&](const FoundVersion& version) { return lies_there(version.directory); });
}

/// A model that can't be brought here.
FoundModel unreachable(const std::string& entry, const Status& why) {
  const std::string url = url_of_entry(entry);
  FoundModel model;
  const auto source = parse_source_url(url);
  model.name = entry.size() > url.size() ? entry.substr(0, entry.size() - url.size() - 1)
                                         : archive_stem(source.ok() ? source->name() : url);
  model.refuse({why.code(), url, why.message()});
  return model;
}

/// The models that a config.properties of TorchServe's names, with what it says of them.
Result<FoundModels> find_in_properties(const std::string& file, std::span<const ModelFormat> formats,
                                       const FindOptions& options) {
  MM_ASSIGN_OR_RETURN(const TorchserveStartup startup, read_torchserve_startup(file, process_variables()));
  std::vector<std::string> paths;
  std::vector<LocalCopy> copies;
  FoundModels found;
  for (const std::string& path : startup.paths) {
    if (!is_url_entry(path)) {
      paths.push_back(path);
      continue;
    }
    LocalCopy copy = copy_of_entry(path, file, options);
    if (!copy.problem.ok()) found.models.push_back(unreachable(path, copy.problem));
    if (!copy.problem.ok() || copy.path.empty()) continue;
    // By the name that the file gives it.
    paths.push_back(path.substr(0, path.size() - url_of_entry(path).size()) + copy.path);
    copies.push_back(std::move(copy));
  }
  if (!paths.empty()) {
    MM_ASSIGN_OR_RETURN(FoundModels here, find_models(paths, formats, options));
    std::move(here.models.begin(), here.models.end(), std::back_inserter(found.models));
    found.notes = std::move(here.notes);
  }
  for (FoundModel& model : found.models) {
    for (const LocalCopy& copy : copies)
      if (is_part_of(model, copy.path)) model.held.push_back(copy.held);
    lay_below(model, startup.models);
    model.config_files.push_back(file);
  }
  return found;
}

/// Adds those that TorchServe's files name, and takes the files out of `paths`.
void add_of_properties(std::vector<std::string>& paths, std::span<const ModelFormat> formats,
                       const FindOptions& options, FoundModels& into, Seen& seen) {
  for (const std::string& path : paths) {
    if (!is_torchserve_properties(path)) continue;
    auto found = find_in_properties(path, formats, options);
    if (!found.ok()) {
      seen.lost.emplace(path, found.status());
      continue;
    }
    std::move(found->models.begin(), found->models.end(), std::back_inserter(into.models));
    std::move(found->notes.begin(), found->notes.end(), std::back_inserter(into.notes));
  }
  std::erase_if(paths, is_torchserve_properties);
}

/// All paths together, so that models of one name are told of; what can't be looked at is left out.
FoundModels find_in(const ModelSources& sources, std::span<const ModelFormat> formats, const LookOptions& look,
                    Seen& seen) {
  const FindOptions options{sources.config_name, look.open_archive, look.open_url, look.bounds};
  std::vector<std::string> paths = sources.paths;
  FoundModels of_properties;
  add_of_properties(paths, formats, options, of_properties, seen);
  if (paths.empty()) return of_properties;
  auto found = find_models(paths, formats, options);
  if (!found.ok()) {
    std::erase_if(paths, [&](const std::string& path) {
      const auto alone = find_models({path}, formats, options);
      if (!alone.ok()) seen.lost.emplace(path, alone.status());
      return !alone.ok();
    });
    found = find_models(paths, formats, options);
  }
  if (!found.ok()) return of_properties;
  std::move(of_properties.models.begin(), of_properties.models.end(), std::back_inserter(found->models));
  std::move(of_properties.notes.begin(), of_properties.notes.end(), std::back_inserter(found->notes));
  return *std::move(found);
}

/// What the batching_parameters_file says of every model; nothing when there is none.
Result<std::optional<ModelLayer>> batching_of(const ModelSources& sources) {
  if (sources.batching_parameters_file.empty()) return std::optional<ModelLayer>();
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(sources.batching_parameters_file, kMostOfBatchingFile));
  MM_ASSIGN_OR_RETURN(ModelLayer layer, read_tf_batching_parameters(text, sources.batching_parameters_file));
  return std::optional<ModelLayer>(std::move(layer));
}

/// Lays what a model's own batching_params.pbtxt says below all else.
void lay_own_batching_below(FoundModel& model) {
  if (model.versions.empty()) return;
  const std::string path = model.versions.back().directory + "/batching_params.pbtxt";
  std::error_code error;
  if (!std::filesystem::exists(path, error)) return;
  const auto text = read_file(path, kMostOfBatchingFile);
  const auto layer = text.ok() ? read_tf_batching_parameters(*text, path) : Result<ModelLayer>(text.status());
  if (!layer.ok()) return model.refuse({layer.status().code(), {}, layer.status().message()});
  model.layers.insert(model.layers.begin(), *layer);
  model.config_files.push_back(path);
}

/// What TF Serving's files name, or a list of its clients.
Result<FoundModels> find_listed(const ModelSources& sources, std::span<const ModelFormat> formats,
                                const ModelLayer* batching, const LookOptions& look) {
  const FindOptions options{{}, {}, look.open_url};
  if (!sources.listed) return find_models_of_config_file(sources.model_config_file, formats, batching, options);
  FoundModels found = find_listed_models(*sources.listed, {}, formats, batching, options);
  for (FoundModel& model : found.models)
    model.untrusted = std::none_of(sources.trusted.begin(), sources.trusted.end(),
                                   [&](const std::string& folder) { return lies_in(model.directory, folder); });
  return found;
}

}  // namespace

Seen look_at(const ModelSources& sources, std::span<const ModelFormat> formats, const LookOptions& options) {
  Seen seen;
  FoundModels found = sources.paths.empty() ? FoundModels() : find_in(sources, formats, options, seen);
  const auto read = batching_of(sources);
  if (!read.ok()) {  // with other batching than what is served, nothing may be taken
    seen.lost.emplace(sources.batching_parameters_file, read.status());
    return seen;
  }
  const ModelLayer* const batching = read->has_value() && !sources.own_batching ? &**read : nullptr;
  if (batching != nullptr)
    for (FoundModel& model : found.models) model.layers.insert(model.layers.begin(), *batching);
  if (!sources.model_config_file.empty() || sources.listed) {
    auto listed = find_listed(sources, formats, batching, options);
    if (!listed.ok()) {
      seen.lost.emplace(sources.model_config_file, listed.status());
    } else {
      std::move(listed->models.begin(), listed->models.end(), std::back_inserter(found.models));
      std::move(listed->notes.begin(), listed->notes.end(), std::back_inserter(found.notes));
    }
  }
  if (sources.own_batching)
    for (FoundModel& model : found.models) lay_own_batching_below(model);
  for (const auto& [name, value] : sources.parameters)
    for (FoundModel& model : found.models)
      model.layers.insert(model.layers.begin(), parameter_layer(name, value, "the command line"));
  seen.notes = std::move(found.notes);
  std::set<std::string> names;
  for (FoundModel& model : found.models) {
    if (!options.only.empty() && model.name != options.only) continue;
    if (names.insert(model.name).second)
      seen.models.push_back(look_at(std::move(model), options));
    else
      seen.notes.push_back("there are two models named '" + model.name + "'; that in '" + model.directory +
                           "' is passed over");
  }
  return seen;
}

}  // namespace modelmill
