#pragma once

#include "model/yaml_rule.h"

namespace modelmill {

/// The newest schema_version that is understood.
inline constexpr int64_t kYamlSchemaVersion = 1;

/// A file that lists models: `schema_version` and `models`.
const YamlRule& yaml_listing_rule();

/// The same, but for the entries of `models`, which may be anything: they are held against their own rule, each by
/// itself, so that what is wrong with one is no other's problem.
const YamlRule& yaml_listing_frame_rule();

/// A file in a model's folder, which describes that one: `schema_version` and the keys of a model.
const YamlRule& yaml_single_rule();

/// An entry of `models`.
const YamlRule& yaml_model_rule();

}  // namespace modelmill
