#include "experiment/experiment_definition.h"

#include <simdjson.h>

#include <cstdio>

#include "base/json_text.h"
#include "model/spelling.h"
#include "rollout/rollout_plan.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

constexpr size_t kMostGuardrails = 8;
const std::vector<std::string> kDefinitionKeys{"route", "control",   "goal",  "guardrails", "margin",
                                               "alpha", "min_users", "users", "window",     "deploy_winner"};

Status wrong(std::string_view key, const std::string& what) {
  return invalid_argument("'" + std::string(key) + "' must be " + what);
}

Status read_text(std::string_view key, const element& value, const char* what, std::string& into) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS || text.empty()) return wrong(key, what);
  into = text;
  return ok_status();
}

Status read_count(std::string_view key, const element& value, uint64_t least, uint64_t& into) {
  constexpr uint64_t kMost = 1'000'000'000;
  if (value.get(into) == simdjson::SUCCESS && into >= least && into <= kMost) return ok_status();
  return wrong(key, "a number from " + std::to_string(least) + " to " + std::to_string(kMost));
}

Status read_number(std::string_view key, const element& value, double least, double most, double& into) {
  char range[64];
  std::snprintf(range, sizeof range, "a number from %g to %g", least, most);
  if (value.get(into) == simdjson::SUCCESS && into >= least && into <= most) return ok_status();
  return wrong(key, range);
}

Status read_guardrails(const element& value, std::vector<ExperimentGuardrail>& into) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return wrong("guardrails", "a list such as [\"refund<=+0.5pp\"]");
  for (const element item : list) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) return wrong("guardrails", "a list of texts such as \"refund<=+0.5pp\"");
    MM_ASSIGN_OR_RETURN(into.emplace_back(), parse_guardrail(text));
    if (into.size() > kMostGuardrails)
      return invalid_argument(std::to_string(kMostGuardrails) + " guardrails are the most");
  }
  return ok_status();
}

Status read_window(const element& value, std::chrono::milliseconds& into) {
  std::string text;
  MM_RETURN_IF_ERROR(read_text("window", value, "a time such as \"1h\" or \"3d\"", text));
  const auto window = parse_hold(text);
  if (window.ok() && window->count() >= 1'000) {
    into = *window;
    return ok_status();
  }
  return wrong("window", "a time from 1s to 30d with its unit, such as \"1h\" or \"3d\"; it is '" + text + "'");
}

Status read_field(std::string_view key, const element& value, ExperimentDefinition& into) {
  if (key == "route") return read_text(key, value, "the name of a route", into.route);
  if (key == "control") return read_text(key, value, "an arm of the route", into.control);
  if (key == "guardrails") return read_guardrails(value, into.guardrails);
  if (key == "margin") return read_number(key, value, 0, 1e12, into.margin);
  if (key == "alpha") return read_number(key, value, 0.0001, 0.2, into.alpha);
  if (key == "min_users") return read_count(key, value, 10, into.min_users);
  if (key == "users") return read_count(key, value, 100, into.users);
  if (key == "window") return read_window(value, into.window);
  if (key == "goal") {
    std::string text;
    MM_RETURN_IF_ERROR(read_text(key, value, "a metric such as \"purchase\" or \"revenue:mean\"", text));
    MM_ASSIGN_OR_RETURN(into.goal, parse_goal(text));
    return ok_status();
  }
  if (key == "deploy_winner")
    return value.get(into.deploys_winner) == simdjson::SUCCESS ? ok_status() : wrong(key, "true or false");
  const std::string meant = nearest(key, kDefinitionKeys);
  return invalid_argument("unknown key '" + std::string(key) + "'" +
                          (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

Status check(const ExperimentDefinition& definition) {
  if (definition.route.empty()) return invalid_argument("'route' is required: the route whose arms are compared");
  if (definition.goal.name.empty()) return invalid_argument("'goal' is required: the metric that decides");
  for (size_t i = 0; i < definition.metrics(); ++i)
    for (size_t other = 0; other < i; ++other)
      if (definition.metric(i).name == definition.metric(other).name)
        return invalid_argument("metric '" + definition.metric(i).name + "' stands twice; keep one");
  if (definition.goal.is_binary && definition.margin >= 1)
    return invalid_argument("'margin' of a goal that users have or have not is a share below 1, such as 0.01");
  return ok_status();
}

}  // namespace

Result<ExperimentDefinition> parse_experiment_request(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS)
    return invalid_argument(
        "the experiment must be a JSON object such as {\"route\":\"reader\",\"goal\":\"purchase\"}");
  ExperimentDefinition definition;
  for (const auto& [key, value] : object) MM_RETURN_IF_ERROR(read_field(key, value, definition));
  MM_RETURN_IF_ERROR(check(definition));
  return definition;
}

Result<std::string> experiment_plan_text(std::string_view json) {
  MM_RETURN_IF_ERROR(parse_experiment_request(json).status());
  simdjson::dom::parser parser;
  const simdjson::dom::object object = parser.parse(json.data(), json.size());
  JsonWriter out;
  out.begin_object();
  for (const std::string& key : kDefinitionKeys) {
    element value;
    if (object[key].get(value) == simdjson::SUCCESS) out.key(key).raw(simdjson::to_string(value));
  }
  return out.end_object().take();
}

std::string experiment_request_json(const ExperimentDefinition& definition) {
  JsonWriter json;
  json.begin_object().field("route", definition.route);
  if (!definition.control.empty()) json.field("control", definition.control);
  json.field("goal", goal_text(definition.goal)).key("guardrails").begin_array();
  for (const ExperimentGuardrail& guardrail : definition.guardrails) json.value(guardrail.text);
  json.end_array().field("margin", definition.margin).field("alpha", definition.alpha);
  json.field("min_users", definition.min_users).field("users", definition.users);
  json.field("window", hold_text(definition.window)).field("deploy_winner", definition.deploys_winner);
  return json.end_object().take();
}

}  // namespace modelmill
