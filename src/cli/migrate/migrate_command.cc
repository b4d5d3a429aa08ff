#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "base/log.h"
#include "cli/archive_previews.h"
#include "cli/commands.h"
#include "cli/known_formats.h"
#include "cli/migrate/find_foreign.h"
#include "cli/migrate/migration_folder.h"
#include "cli/migrate/migration_text.h"
#include "cli/migrate/plan_migration.h"
#include "repository/lint_models.h"
#include "server/engine.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

/// Reads what was written as a server would: the same models must come out of it, with the same in force.
Status check_written(const Migration& migration, const std::string& folder, std::span<const ModelFormat> formats,
                     const FindOptions& options) {
  const LintReport report = lint_models({folder}, formats, options);
  if (!report.problems.empty()) return status_of(report.problems.front());
  for (const MovedModel& model : migration.models) {
    const auto found = std::find_if(report.models.begin(), report.models.end(),
                                    [&](const LintedModel& one) { return one.found.name == model.found.name; });
    if (found == report.models.end())
      return internal("model '" + model.found.name + "' can't be read back; nothing is written");
    MM_ASSIGN_OR_RETURN(const std::string text, text_in_force(found->found, found->layers, formats));
    if (text != model.in_force)
      return internal("model '" + model.found.name + "' would be served otherwise; nothing is written. It is now\n" +
                      model.in_force + "and would be\n" + text);
  }
  return ok_status();
}

void tell(const Migration& migration) {
  for (const ConfigProblem& problem : migration.left_out)
    std::fputs((problem.place + ": error: " + problem.message + "\n").c_str(), stderr);
  for (const std::string& note : migration.notes) std::fputs(("note: " + note + "\n").c_str(), stderr);
}

}  // namespace

ExitCode run(const MigrateCommand& command) {
  Log::configure({LogLevel::kWarning, LogFormat::kText, 2});
  const auto registry = make_backend_registry(command.config, nullptr);
  const std::vector<ModelFormat> formats = known_formats(*registry);
  ArchivePreviews archives;
  FindOptions options;
  options.open_archive = [&archives](const std::string& path) { return archives.open(path); };
  options.open_url = [](const std::string& url, const std::string&) {
    return LocalCopy{{}, nullptr, unimplemented("'" + url + "' is elsewhere; bring its files here and name them")};
  };
  const auto found = find_foreign_models(command.path, command.from, formats, options);
  if (!found.ok()) return fail("migrate", found.status(), ExitCode::kRefused);
  PlanOptions plan;
  plan.system = command.from;
  plan.tune_again = command.tune_again;
  plan.named = [&archives](std::string text) { return archives.named(std::move(text)); };
  plan.is_packed = [&archives](const std::string& folder) { return archives.named(folder) != folder; };
  const Migration migration = plan_migration(*found, formats, plan);
  tell(migration);
  const bool write = !command.dry_run && !migration.models.empty();
  if (write) {
    const Status written =
        write_migration(migration.models, command.to, {command.copy, command.force},
                        [&](const std::string& folder) { return check_written(migration, folder, formats, options); });
    if (!written.ok()) return fail("migrate", written, ExitCode::kFailure);
  }
  const ReportOptions report{command.to, command.dry_run, write, command.copy};
  std::fputs((command.json ? migration_json(migration, report) : migration_text(migration, report)).c_str(), stdout);
  return migration.left_out.empty() ? ExitCode::kOk : ExitCode::kFailure;
}

}  // namespace modelmill
