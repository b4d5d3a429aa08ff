#pragma once

#include <string>
#include <vector>

#include "cli/migrate/migration.h"

namespace modelmill {

/// What becomes of the keys of a file of another server's beside those that the model's configuration is read from: of
/// a model-settings.json, a MANIFEST.json, an MLmodel or a model's own YAML of TorchServe's. `file` is named in the
/// report as `named`; `is_model`: it is what the backend is given, whose code reads all of it. Empty for other files,
/// and for those that can't be read.
std::vector<MovedSetting> foreign_keys(const std::string& file, const std::string& named, bool is_model);

/// The same of a config.properties, whose keys are the server's.
std::vector<MovedSetting> server_keys(const std::string& properties_file);

}  // namespace modelmill
