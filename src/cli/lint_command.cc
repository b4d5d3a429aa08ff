#include <cstdio>
#include <string>
#include <utility>

#include "base/log.h"
#include "cli/archive_previews.h"
#include "cli/commands.h"
#include "cli/known_formats.h"
#include "cli/number_text.h"
#include "model/effective_config.h"
#include "model/yaml_schema.h"
#include "repository/declared_routes.h"
#include "repository/lint_models.h"
#include "server/declared_wishes.h"
#include "server/engine.h"
#include "storage/source_url.h"

namespace modelmill {
namespace {

std::string problems_text(const std::vector<ConfigProblem>& problems, const char* kind) {
  std::string out;
  for (const ConfigProblem& problem : problems) out += problem.place + ": " + kind + ": " + problem.message + "\n";
  return out;
}

std::string summary(const LintReport& report) {
  return counted(report.models.size(), "model") + " without a problem, " + counted(report.problems.size(), "problem") +
         "\n";
}

std::string effective_text(const LintReport& report) {
  std::string out = "schema_version: 1\nmodels:";
  out += report.models.empty() ? " []\n" : "\n";
  for (const LintedModel& model : report.models) {
    const FoundModel& found = model.found;
    const std::string path = found.directory.empty() ? found.versions.front().file : found.directory;
    out += effective_yaml(model.definition, model.layers, path, model.backend_from);
  }
  return out;
}

}  // namespace

ExitCode run(const LintCommand& command) {
  if (command.schema) {
    std::fputs(yaml_json_schema().c_str(), stdout);
    return ExitCode::kOk;
  }
  Log::configure({LogLevel::kWarning, LogFormat::kText, 2});
  const auto registry = make_backend_registry(command.config, nullptr);
  ArchivePreviews archives;
  FindOptions options;
  options.open_archive = [&archives](const std::string& path) { return archives.open(path); };
  // What is elsewhere is not reached for: its URL alone is looked at.
  options.open_url = [](const std::string& url, const std::string&) {
    return LocalCopy{{}, nullptr, parse_source_url(url).status()};
  };
  LintReport report = lint_models(command.paths, known_formats(*registry), options);
  if (const auto declared = read_declared_routes(command.paths); declared.ok())  // else that is a problem already
    for (ConfigProblem& problem : check_wishes(*declared)) report.problems.push_back(std::move(problem));
  // With the configuration on standard output, what is wrong goes beside it.
  const std::string told = problems_text(report.problems, "error") + problems_text(report.notes, "note");
  std::fputs((archives.named(told) + archives.summary() + summary(report)).c_str(),
             command.effective ? stderr : stdout);
  if (command.effective) std::fputs(archives.named(effective_text(report)).c_str(), stdout);
  return report.problems.empty() ? ExitCode::kOk : ExitCode::kFailure;
}

}  // namespace modelmill
