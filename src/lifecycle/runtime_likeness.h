#pragma once

#include <string>

#include "lifecycle/version_loader.h"

namespace modelmill {

/// What clients would see of it if `other` ran a model in the place of `reference`, answers apart: other inputs or
/// outputs, other batches, other entry points. Empty: nothing.
std::string visible_difference(const LoadedVersion& reference, const LoadedVersion& other);

}  // namespace modelmill
