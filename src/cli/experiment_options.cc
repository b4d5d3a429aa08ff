#include "cli/experiment_options.h"

#include <CLI/Validators.hpp>

namespace modelmill {
namespace {

using Action = ExperimentAction;

const Choices<Action> kActions = {{"start", Action::kStart},     {"status", Action::kStatus},
                                  {"outcome", Action::kOutcome}, {"deploy", Action::kDeploy},
                                  {"stop", Action::kStop},       {"list", Action::kList}};

void define_start(CLI::App& app, ExperimentCommand& command) {
  constexpr int64_t kMostUsers = 1'000'000'000;
  app.add_option("--route", command.route, "For start: the route whose arms are compared")->type_name("ROUTE");
  app.add_option("--goal", command.goal,
                 "For start: the metric that decides: NAME (users do it or not) or NAME:mean (users have a sum); with "
                 ":lower less is better")
      ->type_name("METRIC");
  app.add_option("--guardrail", command.guardrails,
                 "For start, and again for more: what must not get worse than control's, as refund<=+0.5pp or "
                 "basket>=-1.5")
      ->type_name("GUARDRAIL")
      ->allow_extra_args(false);
  app.add_option("--control", command.control, "For start: the arm the others are compared with [the largest share]")
      ->type_name("ARM");
  app.add_option("--window", command.window, "For start: how long after its first request what a user does counts [1h]")
      ->type_name("TIME");
  app.add_option("--margin", command.margin,
                 "For start: a difference that doesn't matter, as 0.01 for a point; arms that keep to it are the same")
      ->type_name("NUMBER")
      ->check(CLI::Range(0.0, 1e12).description(""));
  app.add_option("--alpha", command.alpha, "For start: the chance of finding a winner where there is none [0.05]")
      ->type_name("NUMBER")
      ->check(CLI::Range(0.0001, 0.2).description(""));
  app.add_option("--min-users", command.min_users, "For start: users of each arm before anything is decided [100]")
      ->type_name("N")
      ->check(CLI::Range(int64_t{10}, kMostUsers).description(""));
  app.add_option("--users", command.users, "For start: users at which the intervals are to be narrowest [10000]")
      ->type_name("N")
      ->check(CLI::Range(int64_t{100}, kMostUsers).description(""));
  app.add_flag("--deploy-winner", command.deploy_winner, "For start: a winner gets all of the route by itself");
}

void define_outcome(CLI::App& app, ExperimentCommand& command) {
  app.add_option("--user", command.user, "For outcome: whose it is, as the route's sticky key has it")
      ->type_name("USER");
  app.add_option("--request", command.request, "For outcome, in its place: the id of one of the user's requests")
      ->type_name("ID");
  app.add_option("--metric", command.metric, "For outcome: what was done [the goal]")->type_name("NAME");
  app.add_option("--value", command.value, "For outcome: how much [1]")->type_name("NUMBER");
  app.add_option("--id", command.id, "For outcome: an id of its own; again with the same one it isn't counted")
      ->type_name("ID");
  app.add_option("--at", command.at, "For outcome: when, as 2026-01-31T12:00:00Z [now]")->type_name("TIME");
}

bool has_plan(const ExperimentCommand& command) {
  return !(command.route.empty() && command.goal.empty() && command.control.empty() && command.window.empty() &&
           command.guardrails.empty() && command.margin < 0 && command.alpha < 0 && command.min_users == 0 &&
           command.users == 0 && !command.deploy_winner);
}

bool has_outcome(const ExperimentCommand& command) {
  return !(command.user.empty() && command.request.empty() && command.metric.empty() && command.value.empty() &&
           command.id.empty() && command.at.empty());
}

}  // namespace

void define_experiment_arguments(CLI::App& app, OptionSet& options, ExperimentCommand& command) {
  CLI::Option* action = app.add_option_function<std::string>(
      "ACTION",
      [&command](const std::string& name) {
        for (const auto& [known, value] : kActions)
          if (known == name) command.action = value;
      },
      "start, status, outcome, deploy, stop or list");
  action->type_name("ACTION")->required();
  options.restrict(action, kActions);
  app.add_option("NAME", command.name, "The experiment; list needs none")->type_name("NAME");
  options
      .takes_file(app.add_option("OUTCOMES", command.outcomes,
                                 "For outcome: a file that has outcomes as JSON, '-' for standard input, or the JSON "
                                 "itself"))
      ->type_name("OUTCOMES");
  define_start(app, command);
  define_outcome(app, command);
  app.add_option("--arm", command.arm, "For deploy: the arm that gets all [the winner]")->type_name("ARM");
}

std::string experiment_arguments_problem(const ExperimentCommand& command) {
  const Action action = command.action;
  if (action == Action::kList && !command.name.empty()) return "list takes no NAME; status does";
  if (action != Action::kList && command.name.empty()) return "NAME is required";
  if (action == Action::kStart && command.route.empty())
    return "--route is required: the route whose arms are compared";
  if (action == Action::kStart && command.goal.empty()) return "--goal is required: the metric that decides";
  if (action != Action::kStart && has_plan(command))
    return "only start takes --route, --goal, --guardrail, --control, --window, --margin, --alpha, --min-users, "
           "--users "
           "and --deploy-winner";
  if (action != Action::kDeploy && !command.arm.empty()) return "only deploy takes --arm";
  const bool one = has_outcome(command), many = !command.outcomes.empty();
  if (action != Action::kOutcome)
    return one || many ? "only outcome takes OUTCOMES, --user, --request, --metric, --value, --id and --at" : "";
  if (one && many) return "give OUTCOMES, or the options of one outcome";
  return !many && command.user.empty() == command.request.empty() ? "--user or --request is required, one of them, or "
                                                                    "OUTCOMES"
                                                                  : "";
}

}  // namespace modelmill
