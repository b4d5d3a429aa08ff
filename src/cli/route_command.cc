#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/input_text.h"
#include "cli/model_info.h"
#include "cli/route_shadow_text.h"
#include "cli/route_text.h"
#include "cli/server_link.h"

namespace modelmill {
namespace {

/// The JSON of a route: the argument itself, a file, or standard input.
Result<std::string> read_definition(const std::string& source) {
  if (source.starts_with('{')) return source;
  return input_text(source, "name a file that has the route as JSON, or give the JSON");
}

Result<std::string> ask(const RouteCommand& command, ServerLink& link) {
  const std::string path = command.name.empty() ? "/admin/routes" : model_path("/admin/routes", command.name, "");
  switch (command.action) {
    case RouteAction::kList:
    case RouteAction::kShow: return body_of(link.call("GET", path, {}, {}));
    case RouteAction::kDelete: return body_of(link.call("DELETE", path, {}, {}));
    case RouteAction::kHistory: return body_of(link.call("GET", path + "/history", {}, {}));
    case RouteAction::kShadow: return body_of(link.call("GET", path + "/shadow", {}, {}));
    case RouteAction::kUndo: return body_of(link.call("POST", path + "/undo", {}, {}));
    case RouteAction::kSet: break;
  }
  MM_ASSIGN_OR_RETURN(std::string definition, read_definition(command.definition));
  return body_of(link.call("PUT", path, {{"Content-Type", "application/json"}}, std::move(definition)));
}

Result<std::string> run_action(const RouteCommand& command, ServerLink& link) {
  MM_ASSIGN_OR_RETURN(const std::string json, ask(command, link));
  if (command.json) return json + "\n";
  if (command.action == RouteAction::kList) return route_list_text(json);
  if (command.action == RouteAction::kShadow) return route_shadow_text(json);
  return command.action == RouteAction::kHistory ? route_history_text(json) : route_text(json);
}

}  // namespace

ExitCode run(const RouteCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("route", link.status(), ExitCode::kUsage);
  const Result<std::string> text = run_action(command, **link);
  if (!text.ok()) return fail("route", text.status(), exit_code_of(text.status()));
  std::fputs(text->c_str(), stdout);
  return ExitCode::kOk;
}

}  // namespace modelmill
