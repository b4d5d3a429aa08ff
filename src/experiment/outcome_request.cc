#include "experiment/outcome_request.h"

#include <simdjson.h>

#include <chrono>
#include <cmath>

#include "base/stable_hash.h"
#include "base/utc_time.h"
#include "model/spelling.h"

namespace modelmill {
namespace {

using simdjson::dom::element;

/// Of what can be squared and added up without losing all meaning.
constexpr double kLargestValue = 1e12;
const std::vector<std::string> kKeys{"user", "request", "metric", "value", "id", "at"};

/// Texts, and numbers as one writes them: many systems count their users.
Result<uint64_t> hash_in(std::string_view key, const element& value) {
  std::string_view text;
  if (value.get(text) == simdjson::SUCCESS && !text.empty()) return stable_hash(text);
  if (value.is_int64() || value.is_uint64()) return stable_hash(std::string(simdjson::minify(value)));
  return invalid_argument("'" + std::string(key) + "' must be a text that is not empty, or a whole number");
}

Result<uint8_t> metric_in(const element& value, const ExperimentDefinition& definition) {
  std::string_view name;
  if (value.get(name) != simdjson::SUCCESS) return invalid_argument("'metric' must be the name of a metric");
  std::string known;
  for (size_t i = 0; i < definition.metrics(); ++i) {
    if (definition.metric(i).name == name) return static_cast<uint8_t>(i);
    known += (i == 0 ? "" : ", ") + definition.metric(i).name;
  }
  return invalid_argument("'" + std::string(name) + "' is none of the experiment's metrics: " + known);
}

Result<double> value_in(const element& value) {
  double number = 0;
  bool flag = false;
  if (value.get(flag) == simdjson::SUCCESS) return flag ? 1.0 : 0.0;
  if (value.get(number) == simdjson::SUCCESS && std::abs(number) <= kLargestValue) return number;
  return invalid_argument("'value' must be a number from -1e12 to 1e12, or true or false");
}

Result<int64_t> time_in(const element& value) {
  const Status wrong = invalid_argument(
      "'at' must be seconds since 1970, such as 1767225600.5, or UTC such as \"2026-01-31T12:00:00Z\"");
  double seconds = 0;
  std::string_view text;
  if (value.get(seconds) == simdjson::SUCCESS)
    return seconds >= 0 && seconds < 1e11 ? Result<int64_t>(static_cast<int64_t>(seconds * 1'000)) : wrong;
  if (value.get(text) != simdjson::SUCCESS) return wrong;
  const auto at = utc_of_iso(std::string(text));
  if (!at) return wrong;
  return int64_t{std::chrono::duration_cast<std::chrono::milliseconds>(at->time_since_epoch()).count()};
}

Status read_field(std::string_view key, const element& value, const ExperimentDefinition& definition, Outcome& into) {
  if (key == "user" || key == "request") {
    MM_ASSIGN_OR_RETURN((key == "user" ? into.user : into.request), hash_in(key, value));
  } else if (key == "metric") {
    MM_ASSIGN_OR_RETURN(into.metric, metric_in(value, definition));
  } else if (key == "value") {
    MM_ASSIGN_OR_RETURN(into.value, value_in(value));
  } else if (key == "id") {
    MM_ASSIGN_OR_RETURN(into.id, hash_in(key, value));
  } else if (key == "at") {
    MM_ASSIGN_OR_RETURN(into.at_ms, time_in(value));
  } else {
    const std::string meant = nearest(key, kKeys);
    return invalid_argument("unknown key '" + std::string(key) + "'" +
                            (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
  }
  return ok_status();
}

Result<Outcome> outcome_in(const element& item, const ExperimentDefinition& definition, bool by_request) {
  simdjson::dom::object object;
  if (item.get(object) != simdjson::SUCCESS)
    return invalid_argument("it must be a JSON object such as {\"user\":\"ann\",\"metric\":\"purchase\"}");
  Outcome outcome;
  for (const auto& [key, value] : object) MM_RETURN_IF_ERROR(read_field(key, value, definition, outcome));
  if ((outcome.user == 0) == (outcome.request == 0))
    return invalid_argument("it needs 'user' or 'request', one of them: whose outcome it is");
  if (by_request && outcome.user != 0)
    return invalid_argument("the route has no sticky key, so requests stand for themselves: name the 'request'");
  return outcome;
}

}  // namespace

Result<std::vector<Outcome>> parse_outcomes(std::string_view json, const ExperimentDefinition& definition,
                                            bool by_request) {
  simdjson::dom::parser parser;
  element document, inner;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS)
    return invalid_argument("outcomes must be JSON: one object, a list of them, or {\"outcomes\": [...]}");
  if (document.is_object() && document["outcomes"].get(inner) == simdjson::SUCCESS) document = inner;
  std::vector<Outcome> all;
  simdjson::dom::array list;
  if (document.get(list) != simdjson::SUCCESS) {
    MM_ASSIGN_OR_RETURN(all.emplace_back(), outcome_in(document, definition, by_request));
    return all;
  }
  for (const element item : list) {
    if (all.size() == kMostOutcomes)
      return invalid_argument(std::to_string(kMostOutcomes) +
                              " outcomes are the most at once; send the rest after them");
    auto outcome = outcome_in(item, definition, by_request);
    if (!outcome.ok())
      return outcome.status().with_context("outcome " + std::to_string(all.size() + 1) + " of the list");
    all.push_back(*outcome);
  }
  return all;
}

}  // namespace modelmill
