#include "cli/ensemble_options.h"

namespace modelmill {
namespace {

using Action = EnsembleAction;

const Choices<Action> kActions = {
    {"status", Action::kStatus}, {"feedback", Action::kFeedback}, {"fit", Action::kFit},     {"set", Action::kSet},
    {"freeze", Action::kFreeze}, {"unfreeze", Action::kUnfreeze}, {"reset", Action::kReset}, {"list", Action::kList}};

bool takes_source(Action action) {
  return action == Action::kFeedback || action == Action::kFit || action == Action::kSet;
}

}  // namespace

void define_ensemble_arguments(CLI::App& app, OptionSet& options, EnsembleCommand& command) {
  CLI::Option* action = app.add_option_function<std::string>(
      "ACTION",
      [&command](const std::string& name) {
        for (const auto& [known, value] : kActions)
          if (known == name) command.action = value;
      },
      "status, feedback, fit, set, freeze, unfreeze, reset or list");
  action->type_name("ACTION")->required();
  options.restrict(action, kActions);
  app.add_option("NAME", command.name, "The ensemble; list needs none")->type_name("NAME");
  options
      .takes_file(
          app.add_option("FILE", command.source,
                         "For feedback and set: a file that has it as JSON, '-' for standard input, or the JSON "
                         "itself; for fit: a file with {\"inputs\": ..., \"label\": ...} a line"))
      ->type_name("FILE");
  app.add_flag("--apply", command.apply, "For fit: put the weights in force that were found");
}

std::string ensemble_arguments_problem(const EnsembleCommand& command) {
  const Action action = command.action;
  if (action == Action::kList && !command.name.empty()) return "list takes no NAME; status does";
  if (action != Action::kList && command.name.empty()) return "NAME is required";
  if (takes_source(action) && command.source.empty())
    return action == Action::kFit        ? "FILE is required: inputs and their labels, one JSON object a line"
           : action == Action::kFeedback ? "FILE is required: feedback as JSON, or a file that has it"
                                         : "FILE is required: the weights as JSON, or a file that has them";
  if (!takes_source(action) && !command.source.empty()) return "only feedback, fit and set take FILE";
  if (action != Action::kFit && command.apply) return "only fit takes --apply";
  return "";
}

}  // namespace modelmill
