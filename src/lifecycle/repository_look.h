#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lifecycle/control_settings.h"
#include "lifecycle/swap_plan.h"
#include "model/definition.h"
#include "repository/find_models.h"

namespace modelmill {

/// A model as it lies in the repository at a moment, and what of it should be served.
struct SeenModel {
  FoundModel found;
  /// Why nothing of it can be served as it lies there; then what follows is empty.
  Status problem;
  ModelDefinition definition;
  /// The versions that the policy picks, with the stamps of their files and of how they are configured.
  std::vector<WantedVersion> wanted;
  std::map<int64_t, FoundVersion> places;  // of those
  std::vector<int64_t> missing = {};       // that the policy names and that are not there
  std::vector<std::string> notes = {};     // what its configuration says to no effect

  const std::string& name() const { return problem.ok() ? definition.name : found.name; }
  /// It is a plain file or an archive, or has our own layout: changes are taken without being asked for.
  bool watched() const;
};

/// What all the paths hold.
struct Seen {
  std::vector<SeenModel> models;
  std::vector<std::string> notes;
  /// Paths that can't be looked at now, with why: nothing is known of what was found there before.
  std::map<std::string, Status> lost;
};

/// What a look is to do beside looking.
struct LookOptions {
  /// Looks at the model of that name alone; empty: at all.
  std::string only = {};
  /// Brings a version's files here, if the model is to be served; they are looked at after that. Null: they are here.
  std::function<Status(const std::string& model, const FoundVersion& version)> fetch = {};
  /// See FindOptions.
  std::function<LocalCopy(const std::string& path)> open_archive = {};
  std::function<LocalCopy(const std::string& url, const std::string& file)> open_url = {};
  std::function<std::string(const std::string& file)> bounds = {};
};

/// Looks at every source, all of which are here. Blocks on the disk.
Seen look_at(const ModelSources& sources, std::span<const ModelFormat> formats, const LookOptions& options);

/// One text for all that a version is made from: the state of its files, and what the configuration says of it.
/// UNAVAILABLE when files vanish meanwhile.
Result<std::string> version_stamp(const FoundModel& found, const FoundVersion& version,
                                  const ModelDefinition& definition);

/// What is to be served of one found model.
SeenModel look_at(FoundModel found, const LookOptions& options = {});

}  // namespace modelmill
