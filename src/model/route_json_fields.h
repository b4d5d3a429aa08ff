#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/json_text.h"
#include "base/status.h"
#include "model/route_definition.h"

/// Parts of a route's JSON form, for those files alone that read and write it.
namespace modelmill::route_json_fields {

/// What a key must be.
Status expected(std::string_view key, std::string_view what);
/// With the key that was meant, or all that there are.
Status unknown_key(std::string_view key, const std::vector<std::string>& known);

Status read_text(std::string_view key, const simdjson::dom::element& value, std::string& into);
/// Of a value that people write without quotes: 1 and true are the texts "1" and "true".
Status read_scalar(std::string_view key, const simdjson::dom::element& value, std::string& into);
/// A text such as "200ms".
Status read_time(std::string_view key, const simdjson::dom::element& value, std::chrono::microseconds& into);
std::string time_text(std::chrono::microseconds time);
Status read_target(std::string_view key, const simdjson::dom::element& value, RouteTarget& into);

Status read_fallback(const simdjson::dom::element& value, RouteFallback& into);
Status read_breaker(const simdjson::dom::element& value, RouteBreaker& into);
Status read_shadows(const simdjson::dom::element& value, std::vector<RouteShadow>& into);
void write_fallback(JsonWriter& json, const RouteFallback& fallback);
void write_breaker(JsonWriter& json, const RouteBreaker& breaker);
void write_shadows(JsonWriter& json, const std::vector<RouteShadow>& shadows);

}  // namespace modelmill::route_json_fields
