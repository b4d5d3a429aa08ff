#pragma once

#include <string>
#include <string_view>

#include "base/status.h"
#include "lifecycle/load_settings.h"
#include "model/definition.h"
#include "repository/found_model.h"

namespace modelmill {

/// Whether a model of a backend that runs the model's own code may be loaded: code that the operator named on the
/// command line or in configuration may; code that came from a URL or that a client sent only where that was allowed.
/// PERMISSION_DENIED names the option.
Status check_code_trust(const FoundModel& model, const FoundVersion& version, const std::string& backend,
                        const LoadSettings& settings);

/// Whether what a client sent has code for the machine itself in it, which would run in this process: a package of
/// AOTInductor, whatever its file is called.
bool holds_native_code(std::string_view content);

/// PERMISSION_DENIED for such a file of an untrusted model. Reads all of the file then.
Status check_native_code(const FoundModel& model, const std::string& file);

/// PERMISSION_DENIED where a client's configuration has a runtime load a library of native code.
Status check_native_parameters(const FoundModel& model, const ModelDefinition& definition);

}  // namespace modelmill
