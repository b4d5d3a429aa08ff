#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "cli/migrate/migration.h"
#include "model/model_layer.h"

namespace modelmill {

struct SettingsInput {
  MigratedSystem system = MigratedSystem::kAny;
  std::span<const ModelLayer> layers;
  std::span<const ConfigProblem> notes;  // what is said to no effect
  std::set<std::string> leftover;        // fields that stay where they are, since modelmill.yaml has no key for them
  bool tune_again = false;
};

/// What becomes of all that is said of a model, one entry for each setting. Pure.
std::vector<MovedSetting> moved_settings(const SettingsInput& input);

}  // namespace modelmill
