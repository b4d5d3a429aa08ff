#pragma once

#include <string>

#include "base/status.h"
#include "lifecycle/load_settings.h"
#include "repository/found_model.h"

namespace modelmill {

/// Whether a model of a backend that runs the model's own code may be loaded: code that the operator named on the
/// command line or in configuration may; code that came from a URL or that a client sent only where that was allowed.
/// PERMISSION_DENIED names the option.
Status check_code_trust(const FoundModel& model, const FoundVersion& version, const std::string& backend,
                        const LoadSettings& settings);

}  // namespace modelmill
