#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/definition.h"
#include "repository/find_models.h"

namespace modelmill {

/// What is said of a model, by whom, and what is wrong with it.
struct ModelConfiguration {
  std::vector<ModelLayer> layers;  // lowest first
  /// Whole only when there are no problems; else of what could be read.
  ModelDefinition definition;
  std::vector<ConfigProblem> problems;
  /// What is said to no effect.
  std::vector<ConfigProblem> notes;
};

/// Reads what a found model's configuration says; without one its definition has the name alone. A configuration may
/// name the model only as its folder in a repository is named. What find_models() found wrong already is not repeated.
ModelConfiguration read_configuration(const FoundModel& model);

/// The definition alone, or the first problem.
Result<ModelDefinition> read_definition(const FoundModel& model);

/// The versions that a policy picks from those there are.
struct VersionChoice {
  std::vector<FoundVersion> versions;  // ascending
  std::vector<int64_t> missing;        // asked for by number and not there
};
VersionChoice choose_versions(const VersionPolicy& policy, std::span<const FoundVersion> found);

/// The backend of a version: what the definition names, else what the file's name tells, else what lies in the folder.
Result<std::string> infer_backend(const ModelDefinition& definition, const FoundVersion& version,
                                  std::span<const ModelFormat> formats);

/// The version's model file for a backend: the file given by itself, the one that the definition names, the backend's
/// usual one, or the only one with its ending. Empty for a backend that needs none.
Result<std::string> find_model_file(const ModelDefinition& definition, const FoundVersion& version,
                                    const ModelFormat& format);

/// Class names by output, from the files that the definition names inside the model's folder; one name a line.
Result<std::map<std::string, std::vector<std::string>>> read_labels(const ModelDefinition& definition,
                                                                    const std::string& model_directory);

/// `name` below `folder`; INVALID_ARGUMENT when it is absolute or leaves the folder. Does not look at the disk.
Result<std::string> path_inside(const std::string& folder, const std::string& name);

/// A whole file; `limit` bounds its size in bytes.
Result<std::string> read_file(const std::string& path, uint64_t limit);

}  // namespace modelmill
