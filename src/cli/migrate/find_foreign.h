#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "cli/command_line.h"
#include "repository/find_models.h"

namespace modelmill {

/// The models at another server's path: its repository, base path, model_config_file, store, config.properties or
/// folder. INVALID_ARGUMENT where what lies there is not `system`'s, or is in our own layout already.
Result<FoundModels> find_foreign_models(const std::string& path, MigratedSystem system,
                                        std::span<const ModelFormat> formats, const FindOptions& options);

/// Whose model it is, by how it lies there.
MigratedSystem system_of(const FoundModel& model);
/// "Triton", for people.
const char* system_title(MigratedSystem system);

}  // namespace modelmill
