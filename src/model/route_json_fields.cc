#include "model/route_json_fields.h"

#include <algorithm>
#include <utility>

#include "base/duration_text.h"
#include "model/spelling.h"

namespace modelmill::route_json_fields {

using simdjson::dom::element;
using simdjson::dom::object;

Status expected(std::string_view key, std::string_view what) {
  return invalid_argument("'" + std::string(key) + "' must be " + std::string(what));
}

Status unknown_key(std::string_view key, const std::vector<std::string>& known) {
  const std::string meant = nearest(key, known);
  std::string all;
  for (const std::string& name : known) all += (all.empty() ? "" : ", ") + name;
  return invalid_argument("unknown key '" + std::string(key) + "'" +
                          (meant.empty() ? "; the keys are " + all : "; did you mean '" + meant + "'?"));
}

Status read_text(std::string_view key, const element& value, std::string& into) {
  std::string_view text;
  if (value.get(text) != simdjson::SUCCESS) return expected(key, "a text");
  into = text;
  return ok_status();
}

/// Of a value that people write without quotes: 1 and true are the texts "1" and "true".
Status read_scalar(std::string_view key, const element& value, std::string& into) {
  if (value.is_number() || value.is_bool()) {
    into = simdjson::to_string(value);
    return ok_status();
  }
  return read_text(key, value, into);
}

Status read_target(std::string_view key, const element& value, RouteTarget& into) {
  std::string text;
  MM_RETURN_IF_ERROR(read_text(key, value, text));
  auto target = parse_route_target(text);
  if (!target.ok()) return target.status().with_context("'" + std::string(key) + "'");
  into = *std::move(target);
  return ok_status();
}

Status read_time(std::string_view key, const element& value, std::chrono::microseconds& into) {
  std::string text;
  MM_RETURN_IF_ERROR(read_text(key, value, text));
  const auto time = parse_duration(text);
  if (!time.ok() || time->count() <= 0) return expected(key, "a time with its unit, such as 200ms, of at most an hour");
  into = *time;
  return ok_status();
}

std::string time_text(std::chrono::microseconds time) { return std::to_string(time.count()) + "us"; }

namespace {

Status read_targets(const element& value, std::vector<RouteTarget>& into) {
  simdjson::dom::array targets;
  if (value.get(targets) != simdjson::SUCCESS) return expected("to", "a list of targets");
  for (const element target : targets) MM_RETURN_IF_ERROR(read_target("to", target, into.emplace_back()));
  return ok_status();
}

Status read_failures(const element& value, std::vector<RouteFailure>& into) {
  simdjson::dom::array names;
  Status wrong = expected("on", "a list of error, timeout and overload");
  if (value.get(names) != simdjson::SUCCESS) return wrong;
  into.clear();
  for (const element item : names) {
    std::string_view name;
    size_t failure = 0;
    if (item.get(name) != simdjson::SUCCESS) return wrong;
    while (failure < kRouteFailures && name != route_failure_name(static_cast<RouteFailure>(failure))) ++failure;
    if (failure == kRouteFailures) return wrong;
    into.push_back(static_cast<RouteFailure>(failure));
  }
  return ok_status();
}

Status read_count(std::string_view key, const element& value, int64_t& into) {
  constexpr int64_t kMost = 1'000'000;
  if (value.get(into) == simdjson::SUCCESS && into >= 1 && into <= kMost) return ok_status();
  return expected(key, "a whole number from 1 to " + std::to_string(kMost));
}

}  // namespace

Status read_fallback(const element& value, RouteFallback& into) {
  static const std::vector<std::string> kKnown{"to", "answer", "on", "timeout"};
  object keys;
  if (value.get(keys) != simdjson::SUCCESS) return invalid_argument("it must be an object");
  for (const auto& [key, item] : keys) {
    if (key == "to")
      MM_RETURN_IF_ERROR(read_targets(item, into.to));
    else if (key == "answer")
      into.answer = simdjson::to_string(item);
    else if (key == "on")
      MM_RETURN_IF_ERROR(read_failures(item, into.on));
    else if (key == "timeout")
      MM_RETURN_IF_ERROR(read_time(key, item, into.timeout));
    else
      return unknown_key(key, kKnown);
  }
  return ok_status();
}

Status read_breaker(const element& value, RouteBreaker& into) {
  static const std::vector<std::string> kKnown{"failures", "open", "probes"};
  object keys;
  if (value.get(keys) != simdjson::SUCCESS) return invalid_argument("it must be an object");
  for (const auto& [key, item] : keys) {
    if (key == "failures")
      MM_RETURN_IF_ERROR(read_count(key, item, into.failures));
    else if (key == "open")
      MM_RETURN_IF_ERROR(read_time(key, item, into.open));
    else if (key == "probes")
      MM_RETURN_IF_ERROR(read_count(key, item, into.probes));
    else
      return unknown_key(key, kKnown);
  }
  return ok_status();
}

void write_fallback(JsonWriter& json, const RouteFallback& fallback) {
  json.begin_object();
  if (!fallback.to.empty()) {
    json.key("to").begin_array();
    for (const RouteTarget& target : fallback.to) json.value(target.text());
    json.end_array();
  }
  if (!fallback.answer.empty()) json.key("answer").raw(fallback.answer);
  if (fallback.on != RouteFallback().on) {
    json.key("on").begin_array();
    for (const RouteFailure failure : fallback.on) json.value(route_failure_name(failure));
    json.end_array();
  }
  if (fallback.timeout.count() > 0) json.field("timeout", time_text(fallback.timeout));
  json.end_object();
}

void write_breaker(JsonWriter& json, const RouteBreaker& breaker) {
  json.begin_object().field("failures", breaker.failures).field("open", time_text(breaker.open));
  json.field("probes", breaker.probes).end_object();
}

}  // namespace modelmill::route_json_fields
