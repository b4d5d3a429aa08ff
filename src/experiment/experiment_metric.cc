#include "experiment/experiment_metric.h"

#include <algorithm>
#include <charconv>

namespace modelmill {
namespace {

constexpr size_t kLongestName = 100;

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
           c == '.';
  });
}

bool take_end(std::string_view& text, std::string_view end) {
  if (!text.ends_with(end)) return false;
  text.remove_suffix(end.size());
  return true;
}

}  // namespace

Result<ExperimentMetric> parse_goal(std::string_view text) {
  ExperimentMetric goal;
  std::string_view rest = text;
  goal.is_lower_better = take_end(rest, ":lower");
  goal.is_binary = !take_end(rest, ":mean");
  goal.name = rest;
  if (is_name(rest)) return goal;
  return invalid_argument("goal '" + std::string(text) +
                          "' is not a metric: give NAME (of which a user has some or none) or NAME:mean (of which a "
                          "user has a sum), either with :lower where less is better; names have letters, digits, '_', "
                          "'-' and '.'");
}

std::string goal_text(const ExperimentMetric& goal) {
  return goal.name + (goal.is_binary ? "" : ":mean") + (goal.is_lower_better ? ":lower" : "");
}

Result<ExperimentGuardrail> parse_guardrail(std::string_view text) {
  const Status wrong = invalid_argument(
      "guardrail '" + std::string(text) +
      "' is not one: give NAME<=+0.5pp or NAME>=-0.5pp of what users have or have not, NAME<=+1.5 or NAME>=-1.5 of a "
      "mean");
  const size_t at = text.find_first_of("<>");
  if (at == std::string_view::npos || text.substr(at + 1, 1) != "=") return wrong;
  ExperimentGuardrail guardrail;
  guardrail.text = text;
  guardrail.metric.name = text.substr(0, at);
  guardrail.metric.is_lower_better = text[at] == '<';
  std::string_view number = text.substr(at + 2);
  if (!number.starts_with(guardrail.metric.is_lower_better ? '+' : '-')) return wrong;
  number.remove_prefix(1);
  guardrail.metric.is_binary = take_end(number, "pp");
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), guardrail.margin);
  const bool is_number = error == std::errc() && end == number.data() + number.size() && guardrail.margin >= 0 &&
                         guardrail.margin <= (guardrail.metric.is_binary ? 100 : 1e300);
  if (!is_name(guardrail.metric.name) || !is_number) return wrong;
  if (guardrail.metric.is_binary) guardrail.margin /= 100;
  return guardrail;
}

}  // namespace modelmill
