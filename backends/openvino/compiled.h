#pragma once

#include <memory>

#include "ov.h"

namespace modelmill::ov {

/// A model that has been compiled for its device; executions of it share its weights.
using Compiled = std::shared_ptr<CompiledModel>;

}  // namespace modelmill::ov
