#include <cstdio>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/ensemble_fit.h"
#include "cli/ensemble_text.h"
#include "cli/input_text.h"
#include "cli/model_info.h"
#include "cli/server_link.h"

namespace modelmill {
namespace {

using Action = EnsembleAction;

/// The JSON that is sent: the argument itself, a file, or standard input.
Result<std::string> sent(const std::string& source) {
  if (source.starts_with('{') || source.starts_with('[')) return source;
  return input_text(source, "name a file that has it as JSON, or give the JSON");
}

Result<std::string> ask(const EnsembleCommand& command, ServerLink& link) {
  const std::string path = command.name.empty() ? "/admin/ensembles" : model_path("/admin/ensembles", command.name, "");
  const auto post = [&](const char* action, std::string body) {
    return body_of(link.call("POST", path + action, {{"Content-Type", "application/json"}}, std::move(body)));
  };
  switch (command.action) {
    case Action::kFeedback:
    case Action::kSet: {
      MM_ASSIGN_OR_RETURN(std::string body, sent(command.source));
      return post(command.action == Action::kSet ? "/weights" : "/feedback", std::move(body));
    }
    case Action::kFreeze: return post("/freeze", "");
    case Action::kUnfreeze: return post("/unfreeze", "");
    case Action::kReset: return post("/reset", "");
    default: return body_of(link.call("GET", path, {}, {}));
  }
}

Result<std::string> run_action(const EnsembleCommand& command, ServerLink& link) {
  if (command.action == Action::kFit) return fit_ensemble(command, link);
  MM_ASSIGN_OR_RETURN(const std::string json, ask(command, link));
  if (command.json) return json + "\n";
  if (command.action == Action::kList) return ensemble_list_text(json);
  return command.action == Action::kFeedback ? feedback_counts_text(json) : ensemble_weights_text(json);
}

}  // namespace

ExitCode run(const EnsembleCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("ensemble", link.status(), ExitCode::kUsage);
  const Result<std::string> text = run_action(command, **link);
  if (!text.ok()) return fail("ensemble", text.status(), exit_code_of(text.status()));
  std::fputs(text->c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
