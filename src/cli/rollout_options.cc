#include "cli/rollout_options.h"

#include <CLI/Validators.hpp>

#include "base/json_text.h"
#include "model/route_definition.h"

namespace modelmill {
namespace {

using Action = RolloutCommandAction;

const Choices<Action> kActions = {
    {"start", Action::kStart},   {"status", Action::kStatus},   {"pause", Action::kPause},
    {"resume", Action::kResume}, {"abort", Action::kAbort},     {"promote", Action::kPromote},
    {"list", Action::kList},     {"history", Action::kHistory}, {"watch", Action::kWatch}};

bool has_plan(const RolloutCommand& command) {
  return !(command.to.empty() && command.from.empty() && command.steps.empty() && command.hold.empty() &&
           command.sticky.empty() && command.compare.empty() && command.gates.empty() && command.min_requests == 0);
}

/// "function:agree" is short for a function that compares all outputs.
std::string whole_compare(std::string compare) {
  constexpr std::string_view kFunction = "function:";
  if (!compare.starts_with(kFunction)) return compare;
  JsonWriter json;
  json.begin_object().key("*").begin_object().field("kind", "function");
  json.field("model", std::string_view(compare).substr(kFunction.size())).end_object().end_object();
  return json.take();
}

/// It becomes a part of the request.
std::string compare_problem(const std::string& compare) {
  if (compare.empty()) return "";
  const auto parsed = parse_comparisons(compare);
  return parsed.ok() ? "" : "--compare: " + parsed.status().message();
}

}  // namespace

void define_rollout_arguments(CLI::App& app, OptionSet& options, RolloutCommand& command) {
  CLI::Option* action = app.add_option_function<std::string>(
      "ACTION",
      [&command](const std::string& name) {
        for (const auto& [known, value] : kActions)
          if (known == name) command.action = value;
      },
      "start, status, pause, resume, abort, promote, list, history or watch");
  action->type_name("ACTION")->required();
  options.restrict(action, kActions);
  app.add_option("NAME", command.name, "The route or model; list needs none")->type_name("NAME");
  app.add_option("--to", command.to, "For start: the canary, as 7, @LABEL, MODEL or MODEL@7")->type_name("TARGET");
  app.add_option("--from", command.from, "For start: the baseline [what serves]")->type_name("TARGET");
  app.add_option(
         "--steps", command.steps,
         "For start: the canary's percents; 25@1h has a hold time of its own; with shadow:10@30m before them it "
         "gets copies alone [5,25,50,100]")
      ->type_name("LIST");
  app.add_option("--hold", command.hold, "For start: how long a step is, at least [10m]")->type_name("TIME");
  app.add_option("--gate", command.gates,
                 "For start, and again for more: error_rate<=+0.5pp, error_rate<=1%, p99<=1.1x, p99<=50ms, "
                 "disagreement<=2%, memory<=1.5x or memory<=2GiB [error_rate<=+0.5pp and p99<=1.1x]")
      ->type_name("GATE")
      ->allow_extra_args(false);
  app.add_option("--compare", command.compare,
                 "For start: how answers are compared, by outputs, as a route's shadow says it, or function:MODEL "
                 "[by their types]")
      ->type_name("JSON")
      ->transform(whole_compare);
  app.add_option("--min-requests", command.min_requests, "For start: what each arm must have answered at a step [100]")
      ->type_name("N")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000}).description(""));
  app.add_option("--sticky", command.sticky,
                 "For start of a model: a key, as header:x-user-id, that keeps users together")
      ->type_name("KEY");
  app.add_option_function<double>(
         "--interval", [&command](const double& seconds) { command.interval = std::chrono::duration<double>(seconds); },
         "For watch: how often it looks [1]")
      ->type_name("SECONDS")
      ->check(CLI::Range(0.1, 3'600.0).description(""));
}

std::string rollout_arguments_problem(const RolloutCommand& command) {
  const bool lists = command.action == Action::kList, starts = command.action == Action::kStart;
  if (lists && !command.name.empty()) return "list takes no NAME; status does";
  if (!lists && command.name.empty()) return "NAME is required";
  if (starts && command.to.empty()) return "--to is required: the version or target to roll out";
  if (!starts && has_plan(command))
    return "only start takes --to, --from, --steps, --hold, --gate, --compare, --min-requests and --sticky";
  return compare_problem(command.compare);
}

}  // namespace modelmill
