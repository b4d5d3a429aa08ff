#pragma once

#include <span>
#include <string>

#include "model/definition.h"
#include "model/model_layer.h"

namespace modelmill {

/// A model's full configuration as an entry of modelmill.yaml's `models`, with a comment on each line that says where
/// it comes from: the place in a file, "default", or what decides at load. `path` is where the model lies;
/// `backend_from` says where the definition's backend comes from, if no layer names it. Read back it gives the same
/// definition, except for what modelmill.yaml has no key for (several groups of instances), which a comment names.
std::string effective_yaml(const ModelDefinition& definition, std::span<const ModelLayer> layers,
                           const std::string& path, const std::string& backend_from);

/// The keys of a modelmill.yaml in the model's own folder that say what the layers say and nothing else, each with a
/// comment on where that was said. Not in it: the name, and what modelmill.yaml has no key for.
std::string said_yaml(const ModelDefinition& definition, std::span<const ModelLayer> layers);

}  // namespace modelmill
