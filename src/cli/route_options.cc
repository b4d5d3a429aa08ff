#include "cli/route_options.h"

namespace modelmill {
namespace {

const Choices<RouteAction> kActions = {{"list", RouteAction::kList},       {"show", RouteAction::kShow},
                                       {"set", RouteAction::kSet},         {"delete", RouteAction::kDelete},
                                       {"history", RouteAction::kHistory}, {"undo", RouteAction::kUndo},
                                       {"shadow", RouteAction::kShadow}};

}  // namespace

void define_route_arguments(CLI::App& app, OptionSet& options, RouteCommand& command) {
  CLI::Option* action = app.add_option_function<std::string>(
      "ACTION",
      [&command](const std::string& name) {
        for (const auto& [known, value] : kActions)
          if (known == name) command.action = value;
      },
      "list, show, set, delete, history, undo or shadow");
  action->type_name("ACTION")->required();
  options.restrict(action, kActions);
  app.add_option("NAME", command.name, "The route's name; list needs none")->type_name("NAME");
  options
      .takes_file(app.add_option("ROUTE", command.definition,
                                 "For set: a file that has the route as JSON, '-' for standard input, or the JSON "
                                 "itself"))
      ->type_name("ROUTE");
}

std::string route_arguments_problem(const RouteCommand& command) {
  const bool lists = command.action == RouteAction::kList, sets = command.action == RouteAction::kSet;
  if (lists && !command.name.empty()) return "list takes no NAME; show does";
  if (!lists && command.name.empty()) return "NAME is required";
  if (sets && command.definition.empty()) return "ROUTE is required: the route as JSON";
  return !sets && !command.definition.empty() ? "only set takes a ROUTE" : "";
}

}  // namespace modelmill
