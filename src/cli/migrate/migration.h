#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"
#include "model/config_problem.h"
#include "repository/found_model.h"

namespace modelmill {

/// What becomes of a setting.
enum class SettingFate {
  kSame,    // ours says the same
  kBetter,  // the server finds it out by itself; it is kept all the same unless it is to be tuned again
  kGone,    // it means nothing here
};
const char* fate_name(SettingFate fate);

/// One setting of another server's, for the report.
struct MovedSetting {
  SettingFate fate = SettingFate::kSame;
  std::string theirs;  // as their file calls it
  std::string ours;    // key and value; empty: there is none
  std::string why;     // empty where `ours` says all
  std::string place;   // in their file
};

/// Something that a model's new folder has of the old one.
struct MovedFile {
  std::string to;    // relative to the new folder
  std::string from;  // absolute
};

/// A model as it will lie in our layout: in a folder of its name.
struct MovedModel {
  FoundModel found;
  MigratedSystem system = MigratedSystem::kAny;
  std::string yaml;      // of its modelmill.yaml
  std::string leftover;  // of its config.pbtxt, for what modelmill.yaml has no key for; empty: there is nothing
  std::vector<MovedFile> files;
  std::vector<MovedSetting> settings;
  /// What is to be in force, as text and without where it comes from.
  std::string in_force;
};

/// A whole migration.
struct Migration {
  std::vector<MovedModel> models;
  /// Of the server, not of a model.
  std::vector<MovedSetting> settings;
  /// Why models are left out.
  std::vector<ConfigProblem> left_out;
  /// What was passed over.
  std::vector<std::string> notes;
};

}  // namespace modelmill
