#include "lifecycle/repository_look.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "lifecycle/digest.h"
#include "repository/model_files.h"
#include "repository/version_files.h"

namespace modelmill {

Result<std::string> version_stamp(const FoundModel& found, const FoundVersion& version,
                                  const ModelDefinition& definition) {
  FingerprintOptions options;
  for (const ConfiguredTensor& output : definition.outputs)
    if (!output.label_filename.empty()) options.side_files.push_back(output.label_filename);
  MM_ASSIGN_OR_RETURN(const VersionFingerprint files, fingerprint(found, version, options));
  Digest digest;
  for (const FileStamp& file : files.files) {
    digest.add(file.path);
    for (const int64_t number : {static_cast<int64_t>(file.device), static_cast<int64_t>(file.inode), file.size,
                                 file.modified_ns, file.changed_ns})
      digest.add(&number, sizeof number);
  }
  return digest.hex();
}

bool SeenModel::watched() const {
  return found.directory.empty() || (found.config_file.empty() && !found.in_repository);
}

SeenModel look_at(FoundModel found) {
  SeenModel seen;
  seen.found = std::move(found);
  seen.problem = seen.found.problem;
  if (!seen.problem.ok()) return seen;
  auto definition = read_definition(seen.found);
  if (!definition.ok()) {
    seen.problem = definition.status();
    return seen;
  }
  const VersionChoice choice = choose_versions(definition->version_policy, seen.found.versions);
  for (const int64_t missing : choice.missing)
    Log::error("version of the version policy is not there", {{"model", definition->name}, {"version", missing}});
  if (choice.versions.empty()) {
    seen.problem = invalid_argument("at least one version must be available under the version policy of model '" +
                                    definition->name + "': expected folders named by a number, such as 1, in '" +
                                    seen.found.directory + "'");
    return seen;
  }
  for (const FoundVersion& version : choice.versions) {
    const auto stamp = version_stamp(seen.found, version, *definition);
    // What vanishes while it is looked at comes to light when it is loaded.
    seen.wanted.push_back({version.version, stamp.ok() ? *stamp : "unreadable"});
    seen.places.emplace(version.version, version);
  }
  seen.definition = *std::move(definition);
  return seen;
}

Seen look_at(const std::vector<std::string>& paths, std::span<const ModelFormat> formats, const std::string& only) {
  Seen seen;
  std::set<std::string> names;
  for (const std::string& path : paths) {
    auto found = find_models({path}, formats);
    if (!found.ok()) {
      seen.lost.emplace(path, found.status());
      continue;
    }
    for (std::string& note : found->notes) seen.notes.push_back(std::move(note));
    for (FoundModel& model : found->models) {
      if (!only.empty() && model.name != only) continue;
      if (!names.insert(model.name).second) {
        seen.notes.push_back("there are two models named '" + model.name + "'; that in '" + path + "' is passed over");
        continue;
      }
      seen.models.push_back(look_at(std::move(model)));
    }
  }
  return seen;
}

}  // namespace modelmill
