// A route's JSON form.

#include <simdjson.h>

#include <string>
#include <vector>

#include "base/json_text.h"
#include "model/route_definition.h"
#include "model/route_json_fields.h"

namespace modelmill {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;
using namespace route_json_fields;

Status read_key(std::string_view key, const element& value, RouteKey& into) {
  std::string text;
  MM_RETURN_IF_ERROR(read_text(key, value, text));
  auto read = parse_route_key(text);
  if (!read.ok()) return read.status().with_context("'" + std::string(key) + "'");
  into = *std::move(read);
  return ok_status();
}

Status read_split(const element& value, std::vector<RouteArm>& into) {
  object shares;
  if (value.get(shares) != simdjson::SUCCESS)
    return expected("split", "an object of percents by target, such as {\"ocr@stable\": 95, \"ocr@canary\": 5}");
  for (const auto& [name, share] : shares) {
    RouteArm& arm = into.emplace_back();
    auto target = parse_route_target(name);
    if (!target.ok()) return target.status().with_context("'split'");
    arm.to = *std::move(target);
    if (share.get_double().get(arm.percent) != simdjson::SUCCESS)
      return invalid_argument("'split': the share of '" + std::string(name) + "' must be a number of percents");
  }
  return ok_status();
}

Status read_rule(const element& value, RouteRule& into) {
  static const std::vector<std::string> kKnown{"when", "is", "to"};
  object keys;
  if (value.get(keys) != simdjson::SUCCESS) return invalid_argument("a rule must be an object");
  bool when = false, to = false;
  for (const auto& [key, item] : keys) {
    if (key == "when") {
      when = true;
      MM_RETURN_IF_ERROR(read_key(key, item, into.when));
    } else if (key == "is") {
      MM_RETURN_IF_ERROR(read_scalar(key, item, into.is.emplace()));
    } else if (key == "to") {
      to = true;
      MM_RETURN_IF_ERROR(read_target(key, item, into.to));
    } else {
      return unknown_key(key, kKnown);
    }
  }
  return when && to ? ok_status() : invalid_argument("a rule needs 'when' and 'to'");
}

Status read_rules(const element& value, std::vector<RouteRule>& into) {
  simdjson::dom::array rules;
  if (value.get(rules) != simdjson::SUCCESS) return expected("rules", "a list");
  for (const element rule : rules)
    MM_RETURN_IF_ERROR(
        read_rule(rule, into.emplace_back()).with_context("rules[" + std::to_string(into.size() - 1) + "]"));
  return ok_status();
}

Status read_field(std::string_view key, const element& value, RouteDefinition& into) {
  static const std::vector<std::string> kKnown{"name", "split",    "rules",   "sticky",
                                               "salt", "fallback", "breaker", "shadow"};
  if (key == "split") return read_split(value, into.split);
  if (key == "rules") return read_rules(value, into.rules);
  if (key == "sticky") return read_key(key, value, into.sticky.emplace());
  if (key == "salt") return read_scalar(key, value, into.salt);
  if (key == "fallback") return read_fallback(value, into.fallback.emplace()).with_context("fallback");
  if (key == "breaker") return read_breaker(value, into.breaker).with_context("breaker");
  if (key == "shadow") return read_shadows(value, into.shadows);
  return unknown_key(key, kKnown);
}

Status read_name(const object& keys, std::string_view expected_name, std::string& into) {
  std::string_view name;
  const auto error = keys["name"].get(name);
  if (error == simdjson::NO_SUCH_FIELD && !expected_name.empty()) {
    into = expected_name;
    return ok_status();
  }
  if (error != simdjson::SUCCESS) return invalid_argument("a route needs a 'name', which is a text");
  into = name;
  if (expected_name.empty() || expected_name == name) return ok_status();
  return invalid_argument("the route is named '" + into + "' and is to be kept as '" + std::string(expected_name) +
                          "'; leave 'name' out");
}

}  // namespace

Result<RouteDefinition> parse_route(std::string_view json, std::string_view name) {
  simdjson::dom::parser parser;
  object keys;
  element document;
  if (const auto error = parser.parse(json.data(), json.size()).get(document); error != simdjson::SUCCESS)
    return invalid_argument("a route must be a JSON object: " + std::string(simdjson::error_message(error)));
  if (document.get(keys) != simdjson::SUCCESS) return invalid_argument("a route must be a JSON object");
  RouteDefinition route;
  MM_RETURN_IF_ERROR(read_name(keys, name, route.name));
  for (const auto& [key, value] : keys)
    if (key != "name") MM_RETURN_IF_ERROR(read_field(key, value, route).with_context("route '" + route.name + "'"));
  MM_RETURN_IF_ERROR(check_route(route));
  return route;
}

std::string route_json(const RouteDefinition& route) {
  JsonWriter json;
  json.begin_object().field("name", route.name).key("split").begin_object();
  for (const RouteArm& arm : route.split) json.field(arm.to.text(), arm.percent);
  json.end_object();
  if (!route.rules.empty()) {
    json.key("rules").begin_array();
    for (const RouteRule& rule : route.rules) {
      json.begin_object().field("when", rule.when.text());
      if (rule.is) json.field("is", *rule.is);
      json.field("to", rule.to.text()).end_object();
    }
    json.end_array();
  }
  if (route.sticky) json.field("sticky", route.sticky->text());
  if (!route.salt.empty()) json.field("salt", route.salt);
  if (route.fallback) write_fallback(json.key("fallback"), *route.fallback);
  if (route.breaker != RouteBreaker()) write_breaker(json.key("breaker"), route.breaker);
  if (!route.shadows.empty()) write_shadows(json.key("shadow"), route.shadows);
  return json.end_object().take();
}

}  // namespace modelmill
