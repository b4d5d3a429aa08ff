// The JSON form of a route's shadows.

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/duration_text.h"
#include "base/json_text.h"
#include "model/route_json_fields.h"

namespace modelmill::route_json_fields {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;

/// 10 or "10%".
Status read_share(const element& value, double& into) {
  Status wrong = expected("share", "a number of percents from 0 to 100, such as 10%");
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS) {
    if (!text.ends_with('%')) return wrong;
    text.remove_suffix(1);
    simdjson::dom::parser parser;
    element number;
    if (parser.parse(text.data(), text.size()).get(number) != simdjson::SUCCESS ||
        number.get_double().get(into) != simdjson::SUCCESS)
      return wrong;
  } else if (value.get_double().get(into) != simdjson::SUCCESS) {
    return wrong;
  }
  return into >= 0 && into <= 100 ? ok_status() : wrong;
}

Status read_measure(std::string_view key, const element& value, double& into) {
  if (value.get_double().get(into) == simdjson::SUCCESS && into >= 0 && std::isfinite(into)) return ok_status();
  return expected(key, "a number of at least 0");
}

Status read_whole(std::string_view key, const element& value, int64_t least, int64_t most, int64_t& into) {
  if (value.get(into) == simdjson::SUCCESS && into >= least && into <= most) return ok_status();
  return expected(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
}

Status read_kind(const object& keys, OutputComparison& into) {
  std::string_view name;
  size_t kind = 0;
  if (keys["kind"].get(name) == simdjson::SUCCESS)
    while (kind < kComparisonKinds && name != comparison_kind_name(static_cast<ComparisonKind>(kind))) ++kind;
  else
    kind = kComparisonKinds;
  if (kind == kComparisonKinds) return expected("kind", "equal, tolerance, top_k, kl or function");
  into.kind = static_cast<ComparisonKind>(kind);
  return ok_status();
}

Status read_function(const element& value, std::string& into) {
  RouteTarget model;
  MM_RETURN_IF_ERROR(read_target("model", value, model));
  into = model.text();
  return ok_status();
}

const std::vector<std::string>& keys_of(ComparisonKind kind) {
  static const std::vector<std::string> kKeys[kComparisonKinds] = {
      {"kind"}, {"kind", "absolute", "relative"}, {"kind", "k"}, {"kind", "threshold", "softmax"}, {"kind", "model"}};
  return kKeys[static_cast<size_t>(kind)];
}

Status read_comparison(const element& value, OutputComparison& into) {
  object keys;
  if (value.get(keys) != simdjson::SUCCESS)
    return invalid_argument("it must be an object, such as {\"kind\": \"tolerance\", \"absolute\": 1e-4}");
  MM_RETURN_IF_ERROR(read_kind(keys, into));
  for (const auto& [key, item] : keys) {
    const std::vector<std::string>& known = keys_of(into.kind);
    if (std::find(known.begin(), known.end(), key) == known.end())
      return unknown_key(key, known).with_context(std::string("kind ") + comparison_kind_name(into.kind));
    if (key == "absolute") MM_RETURN_IF_ERROR(read_measure(key, item, into.absolute));
    if (key == "relative") MM_RETURN_IF_ERROR(read_measure(key, item, into.relative));
    if (key == "threshold") MM_RETURN_IF_ERROR(read_measure(key, item, into.threshold));
    if (key == "k") MM_RETURN_IF_ERROR(read_whole(key, item, 1, 1'000'000, into.k));
    if (key == "softmax" && item.get(into.softmax) != simdjson::SUCCESS) return expected(key, "true or false");
    if (key == "model") MM_RETURN_IF_ERROR(read_function(item, into.model));
  }
  if (into.kind == ComparisonKind::kFunction && into.model.empty())
    return invalid_argument("kind function needs 'model', which has the function");
  return ok_status();
}

Status check_functions(const std::map<std::string, OutputComparison>& compare) {
  const std::string function = function_of(compare);
  for (const auto& [output, comparison] : compare)
    if (!comparison.model.empty() && comparison.model != function)
      return invalid_argument("compare: it names the functions of '" + function + "' and '" + comparison.model +
                              "'; one function compares the answers of a shadow, and gets all outputs");
  return ok_status();
}

Status read_compare(const element& value, std::map<std::string, OutputComparison>& into) {
  object outputs;
  if (value.get(outputs) != simdjson::SUCCESS)
    return expected("compare", "an object by outputs' names, such as {\"scores\": {\"kind\": \"top_k\", \"k\": 5}}");
  for (const auto& [name, item] : outputs)
    MM_RETURN_IF_ERROR(
        read_comparison(item, into[std::string(name)]).with_context("compare: '" + std::string(name) + "'"));
  return check_functions(into);
}

Status read_shadow(const element& value, RouteShadow& into) {
  static const std::vector<std::string> kKnown{"target", "share", "of", "timeout", "examples", "compare"};
  object keys;
  if (value.get(keys) != simdjson::SUCCESS)
    return invalid_argument("a shadow must be an object, such as {\"target\": \"ocr@6\", \"share\": \"10%\"}");
  for (const auto& [key, item] : keys) {
    if (key == "target")
      MM_RETURN_IF_ERROR(read_target(key, item, into.to));
    else if (key == "share")
      MM_RETURN_IF_ERROR(read_share(item, into.percent));
    else if (key == "of")
      MM_RETURN_IF_ERROR(read_target(key, item, into.of.emplace()));
    else if (key == "timeout")
      MM_RETURN_IF_ERROR(read_time(key, item, into.timeout));
    else if (key == "examples")
      MM_RETURN_IF_ERROR(read_whole(key, item, 0, RouteShadow::kMostExamples, into.examples));
    else if (key == "compare")
      MM_RETURN_IF_ERROR(read_compare(item, into.compare));
    else
      return unknown_key(key, kKnown);
  }
  return into.to.model.empty() ? invalid_argument("a shadow needs a 'target'") : ok_status();
}

void write_comparison(JsonWriter& json, const OutputComparison& comparison) {
  json.begin_object().field("kind", comparison_kind_name(comparison.kind));
  switch (comparison.kind) {
    case ComparisonKind::kEqual: break;
    case ComparisonKind::kTolerance:
      json.field("absolute", comparison.absolute).field("relative", comparison.relative);
      break;
    case ComparisonKind::kTopK: json.field("k", comparison.k); break;
    case ComparisonKind::kDistribution:
      json.field("threshold", comparison.threshold);
      if (comparison.softmax) json.field("softmax", true);
      break;
    case ComparisonKind::kFunction: json.field("model", comparison.model); break;
  }
  json.end_object();
}

void write_compare(JsonWriter& json, const std::map<std::string, OutputComparison>& compare) {
  json.begin_object();
  for (const auto& [output, comparison] : compare) write_comparison(json.key(output), comparison);
  json.end_object();
}

}  // namespace

Status read_shadows(const element& value, std::vector<RouteShadow>& into) {
  simdjson::dom::array shadows;
  if (value.get(shadows) != simdjson::SUCCESS) return expected("shadow", "a list");
  for (const element shadow : shadows)
    MM_RETURN_IF_ERROR(
        read_shadow(shadow, into.emplace_back()).with_context("shadow[" + std::to_string(into.size() - 1) + "]"));
  return ok_status();
}

void write_shadows(JsonWriter& json, const std::vector<RouteShadow>& shadows) {
  json.begin_array();
  for (const RouteShadow& shadow : shadows) {
    json.begin_object().field("target", shadow.to.text()).field("share", share_text(shadow.percent));
    if (shadow.of) json.field("of", shadow.of->text());
    if (shadow.timeout != RouteShadow().timeout) json.field("timeout", time_text(shadow.timeout));
    if (shadow.examples != RouteShadow().examples) json.field("examples", shadow.examples);
    if (!shadow.compare.empty()) write_compare(json.key("compare"), shadow.compare);
    json.end_object();
  }
  json.end_array();
}

}  // namespace modelmill::route_json_fields

namespace modelmill {

std::string function_of(const std::map<std::string, OutputComparison>& compare) {
  for (const auto& [output, comparison] : compare)
    if (!comparison.model.empty()) return comparison.model;
  return "";
}

Result<std::map<std::string, OutputComparison>> parse_comparisons(std::string_view json) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS)
    return invalid_argument("'compare' is not JSON");
  std::map<std::string, OutputComparison> compare;
  MM_RETURN_IF_ERROR(route_json_fields::read_compare(document, compare));
  return compare;
}

std::string comparisons_json(const std::map<std::string, OutputComparison>& compare) {
  JsonWriter json;
  route_json_fields::write_compare(json, compare);
  return json.take();
}

}  // namespace modelmill
