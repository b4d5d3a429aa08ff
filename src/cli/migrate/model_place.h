#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/migrate/migration.h"

namespace modelmill {

/// How a model lies in its new folder.
struct ModelPlace {
  std::vector<MovedFile> files;
  /// The `path` of its modelmill.yaml: the layout that it came in stays inside, because its backend reads that. Empty:
  /// the folder has versions, as ours have.
  std::string path;
};

/// Where the model's files go. `backend` runs it; `is_packed` tells that a folder is the preview of an archive.
Result<ModelPlace> place_of_model(const FoundModel& model, const std::string& backend,
                                  const std::function<bool(const std::string& folder)>& is_packed);

}  // namespace modelmill
