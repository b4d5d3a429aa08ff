#include "cli/route_text.h"

#include <simdjson.h>

#include <cstdio>
#include <optional>
#include <vector>

#include "cli/json_fields.h"
#include "cli/route_shadow_text.h"
#include "cli/text_table.h"
#include "model/route_definition.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

/// nullopt: there is no route.
Result<std::optional<RouteDefinition>> route_in(const element& object) {
  element route;
  if (object["route"].get(route) != simdjson::SUCCESS) return answer_not_understood();
  if (route.is_null()) return std::optional<RouteDefinition>();
  auto parsed = parse_route(simdjson::to_string(route));
  return parsed.ok() ? Result<std::optional<RouteDefinition>>(std::optional(*std::move(parsed)))
                     : answer_not_understood();
}

std::string number_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%g", number);
  return text;
}

std::string split_text(const RouteDefinition& route) {
  std::string out;
  for (const RouteArm& arm : route.split)
    out += (out.empty() ? "" : ", ") + arm.to.text() + " " + number_text(arm.percent) + "%";
  return out;
}

std::string fallback_text(const RouteFallback& fallback) {
  std::string to, on;
  for (const RouteTarget& target : fallback.to) to += (to.empty() ? "" : ", then ") + target.text();
  if (!fallback.answer.empty()) to += std::string(to.empty() ? "" : ", then ") + "a constant answer";
  for (const RouteFailure failure : fallback.on)
    on += (on.empty() ? " on " : ", ") + std::string(route_failure_name(failure));
  const auto ms = static_cast<double>(fallback.timeout.count()) / 1e3;
  return to + on + (ms > 0 ? " after " + number_text(ms) + " ms" : "");
}

std::string changed_text(const element& change) {
  return "#" + std::to_string(number_of<uint64_t>(change, "number")) + " " + text_of(change, "what") + " at " +
         text_of(change, "at") + " by " + text_of(change, "by");
}

Result<std::string> list_text(const element& document) {
  std::vector<TextRow> rows{{"route", "split", "sticky", "changed"}};
  for (const element& item : list_of(document, "routes")) {
    MM_ASSIGN_OR_RETURN(const auto route, route_in(item));
    element change;
    if (!route || item["changed"].get(change) != simdjson::SUCCESS) return answer_not_understood();
    rows.push_back(
        {route->name, split_text(*route), route->sticky ? route->sticky->text() : "-", changed_text(change)});
  }
  return rows.size() == 1 ? std::string("the server has no routes\n") : text_table(rows, rows[0].size(), 0);
}

Result<std::string> one_text(const element& document) {
  MM_ASSIGN_OR_RETURN(const auto route, route_in(document));
  element change;
  if (document["changed"].get(change) != simdjson::SUCCESS) return answer_not_understood();
  std::string out = "route " + text_of(document, "name") + "\n";
  if (!route) {
    out += "    not there any more\n";
  } else {
    out += "    split      " + split_text(*route) + "\n";
    for (const RouteRule& rule : route->rules)
      out += "    rule       " + rule.when.text() + (rule.is ? " is " + *rule.is : std::string()) + ": " +
             rule.to.text() + "\n";
    if (route->sticky) out += "    sticky     " + route->sticky->text() + "\n";
    if (!route->salt.empty()) out += "    salt       " + route->salt + "\n";
    if (route->fallback) out += "    fallback   " + fallback_text(*route->fallback) + "\n";
    out += shadow_lines(document);
  }
  out += "    changed    " + changed_text(change) + "\n";
  element wish;
  if (document["wish"].get(wish) != simdjson::SUCCESS) return out;
  MM_ASSIGN_OR_RETURN(const auto wanted, route_in(wish));
  out += "    file       " + text_of(wish, "place") + ": " + text_of(wish, "state");
  return out + (wanted && text_of(wish, "state") != "in force" ? "; it wants " + split_text(*wanted) : "") + "\n";
}

Result<std::string> history_text(const element& document) {
  std::vector<TextRow> rows{{"change", "at", "what", "by", "then"}};
  for (const element& change : list_of(document, "history")) {
    MM_ASSIGN_OR_RETURN(const auto route, route_in(change));
    rows.push_back({"#" + std::to_string(number_of<uint64_t>(change, "number")), text_of(change, "at"),
                    text_of(change, "what"), text_of(change, "by"), route ? split_text(*route) : "no route"});
  }
  return text_table(rows, rows[0].size(), 0);
}

}  // namespace

Result<std::string> route_list_text(std::string_view json) { return text_from(json, list_text); }
Result<std::string> route_text(std::string_view json) { return text_from(json, one_text); }
Result<std::string> route_history_text(std::string_view json) { return text_from(json, history_text); }

}  // namespace modelmill
