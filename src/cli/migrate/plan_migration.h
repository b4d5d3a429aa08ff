#pragma once

#include <functional>
#include <span>
#include <string>

#include "cli/migrate/migration.h"
#include "repository/find_models.h"

namespace modelmill {

struct PlanOptions {
  /// Whose models they are; kAny: as they lie there.
  MigratedSystem system = MigratedSystem::kAny;
  bool tune_again = false;
  /// A folder is the preview of an archive.
  std::function<bool(const std::string& folder)> is_packed;
  /// Text with places in previews as places in their archives.
  std::function<std::string(std::string text)> named;
};

/// What becomes of each model; writes nothing. Models with a problem are left out.
Migration plan_migration(const FoundModels& found, std::span<const ModelFormat> formats, const PlanOptions& options);

/// What is in force of a model, and which versions of it are served, as text that is the same wherever it comes from.
/// Its configuration's first problem, or that of the version that it picks.
Result<std::string> text_in_force(const FoundModel& model, std::span<const ModelLayer> layers,
                                  std::span<const ModelFormat> formats);

}  // namespace modelmill
