#include <cstdio>
#include <string>
#include <utility>

#include "base/json_text.h"
#include "cli/commands.h"
#include "cli/experiment_text.h"
#include "cli/input_text.h"
#include "cli/model_info.h"
#include "cli/server_link.h"

namespace modelmill {
namespace {

using Action = ExperimentAction;

/// What a start asks of the server.
std::string request_of(const ExperimentCommand& command) {
  JsonWriter json;
  json.begin_object().field("route", command.route).field("goal", command.goal);
  if (!command.control.empty()) json.field("control", command.control);
  if (!command.window.empty()) json.field("window", command.window);
  if (command.margin >= 0) json.field("margin", command.margin);
  if (command.alpha >= 0) json.field("alpha", command.alpha);
  if (command.min_users > 0) json.field("min_users", command.min_users);
  if (command.users > 0) json.field("users", command.users);
  if (command.deploy_winner) json.field("deploy_winner", true);
  if (!command.guardrails.empty()) {
    json.key("guardrails").begin_array();
    for (const std::string& guardrail : command.guardrails) json.value(guardrail);
    json.end_array();
  }
  json.end_object();
  return json.take();
}

/// The JSON of outcomes: the argument itself, a file, standard input, or one of the options.
Result<std::string> outcomes_of(const ExperimentCommand& command) {
  const std::string& source = command.outcomes;
  if (source.starts_with('{') || source.starts_with('[')) return source;
  if (!source.empty()) return input_text(source, "name a file that has outcomes as JSON, or give the JSON");
  JsonWriter json;
  json.begin_object();
  for (const auto& [key, value] :
       {std::pair("user", &command.user), std::pair("request", &command.request), std::pair("metric", &command.metric),
        std::pair("id", &command.id), std::pair("at", &command.at)})
    if (!value->empty()) json.field(key, *value);
  // The server says what a number is.
  if (!command.value.empty()) {
    const bool is_plain = command.value.find_first_not_of("0123456789+-.eE") == std::string::npos;
    if (!is_plain) return invalid_argument("--value '" + command.value + "' is not a number");
    json.key("value").raw(command.value);
  }
  return json.end_object().take();
}

Result<std::string> ask(const ExperimentCommand& command, ServerLink& link) {
  const std::string path =
      command.name.empty() ? "/admin/experiments" : model_path("/admin/experiments", command.name, "");
  const auto post = [&](const char* action, std::string body) {
    return body_of(link.call("POST", path + action, {{"Content-Type", "application/json"}}, std::move(body)));
  };
  switch (command.action) {
    case Action::kStart: return post("", request_of(command));
    case Action::kStop: return post("/stop", "");
    case Action::kDeploy: {
      JsonWriter json;
      json.begin_object();
      if (!command.arm.empty()) json.field("arm", command.arm);
      return post("/deploy", json.end_object().take());
    }
    case Action::kOutcome: {
      MM_ASSIGN_OR_RETURN(std::string outcomes, outcomes_of(command));
      return post("/outcomes", std::move(outcomes));
    }
    case Action::kList:
    case Action::kStatus: break;
  }
  return body_of(link.call("GET", path, {}, {}));
}

Result<std::string> run_action(const ExperimentCommand& command, ServerLink& link) {
  MM_ASSIGN_OR_RETURN(const std::string json, ask(command, link));
  if (command.json) return json + "\n";
  if (command.action == Action::kList) return experiment_list_text(json);
  return command.action == Action::kOutcome ? outcome_counts_text(json) : experiment_text(json);
}

}  // namespace

ExitCode run(const ExperimentCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("experiment", link.status(), ExitCode::kUsage);
  const Result<std::string> text = run_action(command, **link);
  if (!text.ok()) return fail("experiment", text.status(), exit_code_of(text.status()));
  std::fputs(text->c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
