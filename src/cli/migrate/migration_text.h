#pragma once

#include <string>

#include "cli/migrate/migration.h"

namespace modelmill {

struct ReportOptions {
  std::string to;  // the folder that was or would be written
  bool dry_run = false;
  bool written = false;  // false without models, too
  bool copied = false;   // else the files are links
};

/// The report: each model's settings, one a line, with their number by what becomes of them.
std::string migration_text(const Migration& migration, const ReportOptions& options);
/// The same as JSON, with the configurations that were or would be written.
std::string migration_json(const Migration& migration, const ReportOptions& options);

}  // namespace modelmill
