#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/migrate/migration.h"

namespace modelmill {

struct FolderOptions {
  bool copy = false;   // the files themselves; else links to them
  bool force = false;  // models that are there already are replaced
};

/// Writes the models as folders below `to`, which is made when it is missing. They are written beside first, below a
/// name that no server looks at, and held against `check` (of that folder); then each is put in its place by one
/// rename. What fails before that leaves `to` as it was. ALREADY_EXISTS for a model that is there and not to be
/// replaced; INVALID_ARGUMENT where a model would take the place of its own files.
Status write_migration(const std::vector<MovedModel>& models, const std::string& to, const FolderOptions& options,
                       const std::function<Status(const std::string& folder)>& check);

}  // namespace modelmill
