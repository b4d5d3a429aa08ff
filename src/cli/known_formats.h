#pragma once

#include <vector>

#include "backend/backend_registry.h"
#include "repository/model_format.h"

namespace modelmill {

/// The files that the backends take which can be opened.
std::vector<ModelFormat> known_formats(BackendRegistry& backends);

}  // namespace modelmill
