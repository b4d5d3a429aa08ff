#pragma once

#include <optional>
#include <string>

#include "model/yaml_config.h"
#include "repository/found_model.h"

namespace modelmill {

/// Whether an entry of a modelmill.yaml describes a model that is made of others.
bool is_ensemble(const YamlModel& entry);

/// Such a model of the list `file` in `folder`, which is all the files that it has.
std::optional<FoundModel> found_ensemble(const YamlModel& entry, const std::string& file, const std::string& folder);

}  // namespace modelmill
