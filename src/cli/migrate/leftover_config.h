#pragma once

#include <set>
#include <string>

#include "model_config.pb.h"

namespace modelmill {

/// The fields that are set to something for which modelmill.yaml has no key, and which counts here: they stay in a
/// config.pbtxt.
std::set<std::string> fields_without_key(const inference::ModelConfig& config);

/// The config.pbtxt that says these fields of `config` and nothing else; empty when there are none.
std::string leftover_config(const inference::ModelConfig& config, const std::set<std::string>& fields);

}  // namespace modelmill
