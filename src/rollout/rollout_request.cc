#include "rollout/rollout_request.h"

#include <simdjson.h>

#include <algorithm>
#include <vector>

#include "base/json_text.h"
#include "model/spelling.h"
#include "rollout/rollout_copies.h"
#include "rollout/route_targets.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

const std::vector<std::string> kKeys{"to", "from", "steps", "hold", "gates", "compare", "min_requests", "sticky"};

Status wrong(std::string_view key, const std::string& what) {
  return invalid_argument("'" + std::string(key) + "' must be " + what);
}

/// A text, or a number as one writes it.
Result<std::string> text_in(std::string_view key, const element& value, const std::string& what) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) return std::string(text);
  if (value.is_int64() || value.is_double()) return std::string(simdjson::minify(value));
  return wrong(key, what);
}

/// One text, or a list of texts and numbers, joined by commas.
Result<std::string> list_in(std::string_view key, const element& value, const std::string& what) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return text_in(key, value, what);
  std::string out;
  for (const element item : list) {
    MM_ASSIGN_OR_RETURN(const std::string text, text_in(key, item, what));
    out += (out.empty() ? "" : ",") + text;
  }
  return out;
}

Status read_gates(const element& value, std::vector<RolloutGate>& into) {
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return wrong("gates", "a list such as [\"error_rate<=+0.5pp\"]");
  for (const element item : list) {
    std::string_view text;
    if (item.get(text) != simdjson::SUCCESS) return wrong("gates", "a list of texts such as \"p99<=1.1x\"");
    MM_ASSIGN_OR_RETURN(into.emplace_back(), parse_gate(text));
  }
  return check_gates(into);
}

/// `steps` and `hold` mean something only together.
struct Texts {
  std::string steps{kDefaultSteps}, hold{kDefaultHold};
};

Status read_field(std::string_view key, const element& value, Texts& texts, RolloutRequest& into) {
  if (key == "to" || key == "from") {
    MM_ASSIGN_OR_RETURN((key == "to" ? into.to : into.from), text_in(key, value, "a version or target, such as 7"));
  } else if (key == "steps") {
    MM_ASSIGN_OR_RETURN(texts.steps, list_in(key, value, "percents such as \"5,25,50,100\""));
  } else if (key == "hold") {
    MM_ASSIGN_OR_RETURN(texts.hold, text_in(key, value, "a time such as \"10m\""));
  } else if (key == "gates") {
    return read_gates(value, into.plan.gates);
  } else if (key == "compare") {
    MM_ASSIGN_OR_RETURN(into.plan.compare, parse_comparisons(simdjson::to_string(value)));
  } else if (key == "min_requests") {
    int64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS || number < 1 || number > 1'000'000'000)
      return wrong(key, "a number from 1 to 1000000000");
    into.plan.min_requests = static_cast<uint64_t>(number);
  } else if (key == "sticky") {
    MM_ASSIGN_OR_RETURN(const std::string text, text_in(key, value, "a key such as header:x-user-id"));
    MM_ASSIGN_OR_RETURN(into.sticky, parse_route_key(text));
  } else {
    const std::string meant = nearest(key, kKeys);
    return invalid_argument("unknown key '" + std::string(key) + "'" +
                            (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
  }
  return ok_status();
}

bool is_number(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

/// "7", "@canary", or a whole target.
Result<RouteTarget> target_in(const std::string& text, const std::string& model) {
  if (is_number(text)) return parse_route_target(model + "@" + text);
  return parse_route_target(text.starts_with('@') ? model + text : text);
}

Status serves_already(const std::string& name, const RouteTarget& to) {
  return already_exists("'" + to.text() + "' is what serves '" + name +
                        "' already; where the newest version serves at once, name the one before with 'from'");
}

Result<RouteTarget> baseline_of(const RouteDefinition& route, const RolloutRequest& request) {
  const RouteArm* largest = nullptr;
  for (const RouteArm& arm : route.split)
    if (largest == nullptr || arm.percent > largest->percent) largest = &arm;
  MM_ASSIGN_OR_RETURN(const RouteTarget to, target_in(request.to, largest->to.model));
  if (to == largest->to && largest->percent >= 100) return serves_already(route.name, to);
  if (request.from.empty()) return largest->to;
  MM_ASSIGN_OR_RETURN(RouteTarget from, target_in(request.from, largest->to.model));
  for (const RouteArm& arm : route.split)
    if (arm.to == from && arm.percent > 0) return from;
  return invalid_argument("the route '" + route.name + "' gives '" + from.text() + "' no traffic to compare with");
}

/// The route that leads to a model's default version, which the rollout makes for its time.
Result<RouteDefinition> route_of_model(const std::string& name, const RolloutRequest& request,
                                       const ModelTable& models) {
  const ModelEntry* entry = models.find(name);
  if (entry == nullptr)
    return not_found("there is no route and no model named '" + name + "'; a rollout is of one or the other");
  RouteTarget from;
  if (request.from.empty()) {
    const auto* const served = entry->find(0);
    if (served == nullptr)
      return failed_precondition("model '" + name + "' serves no version to compare with; name one with 'from'");
    from = {name, (*served)->version(), ""};
  } else {
    MM_ASSIGN_OR_RETURN(from, target_in(request.from, name));
  }
  RouteDefinition route;
  route.name = name;
  route.split = {{from, 100}};
  route.sticky = request.sticky;
  return route;
}

}  // namespace

Result<RolloutRequest> parse_rollout_request(std::string_view json) {
  simdjson::dom::parser parser;
  const simdjson::padded_string text(json);
  simdjson::dom::object object;
  if (parser.parse(text).get(object) != simdjson::SUCCESS)
    return invalid_argument("a rollout must be a JSON object such as {\"to\": 7}");
  RolloutRequest request;
  Texts texts;
  for (const auto& [key, value] : object) MM_RETURN_IF_ERROR(read_field(key, value, texts, request));
  if (request.to.empty()) return invalid_argument("'to' is missing: the version or target to roll out, such as 7");
  MM_ASSIGN_OR_RETURN(const auto hold, parse_hold(texts.hold));
  MM_ASSIGN_OR_RETURN(request.plan.steps, parse_steps(texts.steps, hold));
  if (request.plan.gates.empty())
    for (const std::string_view gate : kDefaultGates) {
      MM_ASSIGN_OR_RETURN(request.plan.gates.emplace_back(), parse_gate(gate));
    }
  if (!request.plan.compare.empty() && !request.plan.copies_at(0))
    return invalid_argument(
        "'compare' means nothing where no answers are compared; give a gate such as disagreement<=2%, or a step such "
        "as shadow:10@30m");
  return request;
}

Result<std::string> rollout_plan_text(std::string_view json) {
  MM_RETURN_IF_ERROR(parse_rollout_request(json).status());
  simdjson::dom::parser parser;
  const simdjson::padded_string text(json);
  const simdjson::dom::object object = parser.parse(text);
  JsonWriter out;
  out.begin_object();
  for (const std::string& key : kKeys) {
    element value;
    if (object[key].get(value) != simdjson::SUCCESS) continue;
    out.key(key);
    if (key == "gates" || key == "compare" || key == "min_requests") {
      out.raw(simdjson::to_string(value));
      continue;
    }
    MM_ASSIGN_OR_RETURN(const std::string words, list_in(key, value, "a text"));
    out.value(words);
  }
  return out.end_object().take();
}

Result<Rollout> plan_rollout(const std::string& name, const RolloutRequest& request, const RouteDefinition* route,
                             const ModelTable& models) {
  Rollout rollout;
  RouteDefinition base;
  if (route != nullptr) {
    if (request.sticky)
      return invalid_argument("the route '" + name + "' has its own 'sticky', which a rollout keeps; change it there");
    rollout.before = base = *route;
  } else {
    MM_ASSIGN_OR_RETURN(base, route_of_model(name, request, models));
  }
  MM_ASSIGN_OR_RETURN(rollout.from, baseline_of(base, request));
  MM_ASSIGN_OR_RETURN(rollout.to, target_in(request.to, rollout.from.model));
  if (rollout.to == rollout.from) return serves_already(name, rollout.to);
  rollout.plan = request.plan;
  for (size_t step = 0; step < rollout.plan.steps.size(); ++step) {
    const RouteDefinition wanted = route_at(rollout, base, step);
    MM_RETURN_IF_ERROR(check_route(wanted).with_context("step " + steps_text({rollout.plan.steps[step]})));
    MM_RETURN_IF_ERROR(check_targets(wanted, models));
  }
  rollout.wanted = route_at(rollout, base, 0);
  return rollout;
}

}  // namespace modelmill
