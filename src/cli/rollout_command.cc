#include <cstdio>
#include <string>
#include <utility>

#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/model_info.h"
#include "cli/rollout_text.h"
#include "cli/rollout_watch.h"
#include "cli/server_link.h"

namespace modelmill {
namespace {

using Action = RolloutCommandAction;

/// What a start asks of the server.
std::string request_of(const RolloutCommand& command) {
  JsonWriter json;
  json.begin_object().field("to", command.to);
  const auto text = [&json](const char* name, const std::string& value) {
    if (!value.empty()) json.field(name, value);
  };
  text("from", command.from);
  text("steps", command.steps);
  text("hold", command.hold);
  text("sticky", command.sticky);
  if (command.min_requests > 0) json.field("min_requests", command.min_requests);
  if (!command.compare.empty()) json.key("compare").raw(command.compare);
  if (!command.gates.empty()) {
    json.key("gates").begin_array();
    for (const std::string& gate : command.gates) json.value(gate);
    json.end_array();
  }
  json.end_object();
  return json.take();
}

Result<std::string> ask(const RolloutCommand& command, ServerLink& link) {
  const std::string path = command.name.empty() ? "/admin/rollouts" : model_path("/admin/rollouts", command.name, "");
  const auto post = [&](const char* action) { return body_of(link.call("POST", path + action, {}, {})); };
  switch (command.action) {
    case Action::kStart:
      return body_of(link.call("POST", path, {{"Content-Type", "application/json"}}, request_of(command)));
    case Action::kPause: return post("/pause");
    case Action::kResume: return post("/resume");
    case Action::kAbort: return post("/abort");
    case Action::kPromote: return post("/promote");
    case Action::kHistory: return body_of(link.call("GET", path + "/history", {}, {}));
    case Action::kList:
    case Action::kStatus:
    case Action::kWatch: break;
  }
  return body_of(link.call("GET", path, {}, {}));
}

Result<std::string> run_action(const RolloutCommand& command, ServerLink& link) {
  MM_ASSIGN_OR_RETURN(const std::string json, ask(command, link));
  if (command.json) return json + "\n";
  if (command.action == Action::kList) return rollout_list_text(json);
  if (command.action == Action::kHistory) return rollout_history_text(json);
  MM_ASSIGN_OR_RETURN(const RolloutStatus rollout, read_rollout(json));
  return rollout_text(rollout);
}

}  // namespace

ExitCode run(const RolloutCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("rollout", link.status(), ExitCode::kUsage);
  if (command.action == Action::kWatch) {
    const auto look = [&]() { return ask(command, **link); };
    const Result<bool> promoted = watch_rollout(command, look);
    if (!promoted.ok()) return fail("rollout", promoted.status(), exit_code_of(promoted.status()));
    return *promoted ? ExitCode::kOk : ExitCode::kFailure;
  }
  const Result<std::string> text = run_action(command, **link);
  if (!text.ok()) return fail("rollout", text.status(), exit_code_of(text.status()));
  std::fputs(text->c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
