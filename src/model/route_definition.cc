#include "model/route_definition.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "base/client_network.h"
#include "base/json_text.h"
#include "model/route_answer.h"
#include "model/triton_config.h"

namespace modelmill {
namespace {

/// Percents are decimal fractions, of which doubles have none exactly.
constexpr double kPercentSlack = 1e-6;

constexpr std::pair<std::string_view, RouteKey::From> kKeyKinds[] = {{"header:", RouteKey::From::kHeader},
                                                                     {"cookie:", RouteKey::From::kCookie},
                                                                     {"parameter:", RouteKey::From::kParameter}};

std::string number_text(double number) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", number);
  return text;
}

Status check_split(const RouteDefinition& route) {
  if (route.split.empty())
    return invalid_argument("it has no 'split'; name at least one target, such as {\"ocr@stable\": 100}");
  double sum = 0;
  for (size_t i = 0; i < route.split.size(); ++i) {
    const RouteArm& arm = route.split[i];
    if (!(arm.percent >= 0 && arm.percent <= 100))
      return invalid_argument("split: the share of '" + arm.to.text() + "' is " + number_text(arm.percent) +
                              "; shares are percents from 0 to 100");
    for (size_t j = 0; j < i; ++j)
      if (route.split[j].to == arm.to) return invalid_argument("split: '" + arm.to.text() + "' stands there twice");
    sum += arm.percent;
  }
  if (std::abs(sum - 100) <= kPercentSlack) return ok_status();
  return invalid_argument("split: the shares sum to " + number_text(sum) + "; they are percents and must sum to 100");
}

Status check_rule(const RouteRule& rule) {
  if (rule.when.from != RouteKey::From::kClient) return ok_status();
  if (!rule.is) return invalid_argument("'client' matches every request; say which by 'is', such as 10.1.0.0/16");
  return ClientNetwork::parse(*rule.is).status();
}

Status check_fallback(const RouteDefinition& route) {
  constexpr size_t kMostTargets = 8;
  const RouteFallback& fallback = *route.fallback;
  if (fallback.to.empty() && fallback.answer.empty())
    return invalid_argument("it leads nowhere; name targets in 'to', or an 'answer'");
  if (fallback.to.size() > kMostTargets)
    return invalid_argument("'to' has " + std::to_string(fallback.to.size()) + " targets; " +
                            std::to_string(kMostTargets) + " are the most");
  for (auto target = fallback.to.begin(); target != fallback.to.end(); ++target) {
    if (std::find(fallback.to.begin(), target, *target) != target)
      return invalid_argument("'" + target->text() + "' stands there twice");
    for (const RouteArm& arm : route.split)
      if (arm.to == *target && arm.percent == 100)
        return invalid_argument("'" + target->text() + "' has all the requests, so it would fall back to itself");
  }
  if (fallback.on.empty()) return invalid_argument("'on' is empty; it names error, timeout or overload");
  const bool on_timeout =
      std::find(fallback.on.begin(), fallback.on.end(), RouteFailure::kTimeout) != fallback.on.end();
  if (fallback.timeout.count() > 0 && !on_timeout)
    return invalid_argument("'timeout' means nothing where 'on' does not name timeout");
  return fallback.answer.empty() ? ok_status() : parse_route_answer(fallback.answer).status().with_context("'answer'");
}

Status check_shadows(const RouteDefinition& route) {
  constexpr size_t kMostShadows = 8;
  if (route.shadows.size() > kMostShadows)
    return invalid_argument("there are " + std::to_string(route.shadows.size()) + "; " + std::to_string(kMostShadows) +
                            " are the most");
  for (auto shadow = route.shadows.begin(); shadow != route.shadows.end(); ++shadow)
    if (std::any_of(route.shadows.begin(), shadow, [&](const RouteShadow& other) { return other.to == shadow->to; }))
      return invalid_argument("'" + shadow->to.text() + "' stands there twice");
  const std::vector<RouteTarget> targets = targets_of(route);
  for (const RouteShadow& shadow : route.shadows) {
    if (!shadow.of) continue;
    if (*shadow.of == shadow.to)
      return invalid_argument("'" + shadow.to.text() + "' can't be compared with itself; name another target in 'of'");
    if (std::find(targets.begin(), targets.end(), *shadow.of) == targets.end())
      return invalid_argument("'of' names '" + shadow.of->text() + "', which the route does not lead to");
  }
  return ok_status();
}

}  // namespace

std::string share_text(double percent) {
  std::string text;
  append_json_number(text, percent);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text + "%";
}

const char* route_failure_name(RouteFailure failure) {
  constexpr const char* kNames[kRouteFailures] = {"error", "timeout", "overload"};
  return kNames[static_cast<size_t>(failure)];
}

std::string RouteTarget::version_text() const {
  if (!label.empty()) return label;
  return version == 0 ? std::string() : std::to_string(version);
}

std::string RouteTarget::text() const {
  const std::string at = version_text();
  return at.empty() ? model : model + "@" + at;
}

std::string RouteKey::text() const {
  for (const auto& [prefix, kind] : kKeyKinds)
    if (kind == from) return std::string(prefix) + name;
  return "client";
}

Result<RouteTarget> parse_route_target(std::string_view text) {
  RouteTarget target;
  const size_t at = text.rfind('@');
  target.model = text.substr(0, at);
  MM_RETURN_IF_ERROR(check_model_name(target.model));
  if (at == std::string_view::npos) return target;
  const std::string_view version = text.substr(at + 1);
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), target.version);
  const bool number = error == std::errc() && end == version.data() + version.size();
  if (!number) {
    target.version = 0;
    target.label = version;
  }
  if (version.empty() || (number && target.version < 1))
    return invalid_argument("'" + std::string(text) + "' names no version; write MODEL, MODEL@3 or MODEL@LABEL");
  return target;
}

Result<RouteKey> parse_route_key(std::string_view text) {
  if (text == "client") return RouteKey{RouteKey::From::kClient, ""};
  for (const auto& [prefix, kind] : kKeyKinds) {
    if (!text.starts_with(prefix) || text.size() == prefix.size()) continue;
    RouteKey key{kind, std::string(text.substr(prefix.size()))};
    if (kind == RouteKey::From::kHeader)
      for (char& c : key.name)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return key;
  }
  return invalid_argument("'" + std::string(text) +
                          "' is nothing that a route looks at; that is header:NAME, cookie:NAME, parameter:NAME or "
                          "client");
}

std::vector<RouteTarget> targets_of(const RouteDefinition& route) {
  std::vector<RouteTarget> all;
  const auto add = [&all](const RouteTarget& target) {
    if (std::find(all.begin(), all.end(), target) == all.end()) all.push_back(target);
  };
  for (const RouteArm& arm : route.split) add(arm.to);
  for (const RouteRule& rule : route.rules) add(rule.to);
  if (route.fallback)
    for (const RouteTarget& target : route.fallback->to) add(target);
  return all;
}

Status check_route(const RouteDefinition& route) {
  const std::string what = "route '" + route.name + "'";
  if (const Status named = check_model_name(route.name); !named.ok())
    return invalid_argument("a route's name must be one that a model could have: " + named.message());
  MM_RETURN_IF_ERROR(check_split(route).with_context(what));
  for (size_t i = 0; i < route.rules.size(); ++i)
    MM_RETURN_IF_ERROR(check_rule(route.rules[i]).with_context(what + ": rules[" + std::to_string(i) + "]"));
  if (!route.salt.empty() && !route.sticky) return invalid_argument(what + ": 'salt' means nothing without 'sticky'");
  MM_RETURN_IF_ERROR(check_shadows(route).with_context(what + ": shadow"));
  if (route.fallback) return check_fallback(route).with_context(what + ": fallback");
  if (route.breaker != RouteBreaker()) return invalid_argument(what + ": 'breaker' means nothing without 'fallback'");
  return ok_status();
}

}  // namespace modelmill
