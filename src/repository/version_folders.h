#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "repository/folder_listing.h"
#include "repository/found_model.h"
#include "repository/model_format.h"

namespace modelmill {

/// Which numbers name versions.
enum class VersionNames {
  kTriton,     // without leading zeros, as Triton has it
  kTfServing,  // with or without, as TensorFlow Serving has it
};

/// The versions in a model's folder, and what was passed over. Two folders of one number are a problem.
struct VersionFolders {
  std::vector<FoundVersion> versions;  // ascending
  std::vector<std::string> notes;
  std::optional<ConfigProblem> problem;
};
VersionFolders find_version_folders(const FolderListing& folder, VersionNames names);

/// TensorFlow Serving's rule where every numbered folder that there is holds a SavedModel, else Triton's.
VersionNames version_names_of(const FolderListing& folder);

/// A model's folder: it has numbered versions, a config.pbtxt (or the file below configs/ that `config_name` chooses),
/// or a modelmill.yaml of its own. nullopt for any other folder.
std::optional<FoundModel> look_for_versions(const FolderListing& folder, std::span<const ModelFormat> formats,
                                            const std::string& config_name, std::vector<std::string>& notes);

}  // namespace modelmill
