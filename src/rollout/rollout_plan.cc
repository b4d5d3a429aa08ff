#include "rollout/rollout_plan.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <optional>

namespace modelmill {
namespace {

constexpr std::pair<std::string_view, int64_t> kUnits[] = {
    {"ms", 1}, {"s", 1'000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

constexpr std::string_view kShadow = "shadow:";

Result<RolloutStep> parse_step(std::string_view text, std::chrono::milliseconds hold) {
  RolloutStep step{0, hold, text.starts_with(kShadow)};
  const std::string name = "step '" + std::string(text) + "'";
  if (step.is_shadow) text.remove_prefix(kShadow.size());
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    MM_ASSIGN_OR_RETURN(step.hold, parse_hold(text.substr(at + 1)));
    text = text.substr(0, at);
  }
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step.percent);
  if (error != std::errc() || end != text.data() + text.size() || !(step.percent > 0 && step.percent <= 100))
    return invalid_argument(name + " is not a percentage above 0 and up to 100, such as 5, 5@1h or shadow:10@30m");
  return step;
}

}  // namespace

Result<std::chrono::milliseconds> parse_hold(std::string_view text) {
  constexpr double kMostMs = 30.0 * 86'400'000;
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const auto* const found =
      std::find_if(std::begin(kUnits), std::end(kUnits), [unit](const auto& known) { return known.first == unit; });
  double ms = -1;
  if (error == std::errc() && found != std::end(kUnits)) ms = std::round(number * static_cast<double>(found->second));
  if (ms >= 0 && ms <= kMostMs) return std::chrono::milliseconds(static_cast<int64_t>(ms));
  return invalid_argument("'" + std::string(text) +
                          "' is not a hold time: give a number with its unit, such as 90s, 10m or 2h, of at most 30d");
}

std::string hold_text(std::chrono::milliseconds hold) {
  for (auto unit = std::rbegin(kUnits); unit != std::rend(kUnits); ++unit)
    if (hold.count() > 0 && hold.count() % unit->second == 0)
      return std::to_string(hold.count() / unit->second) + std::string(unit->first);
  return "0s";
}

Result<std::vector<RolloutStep>> parse_steps(std::string_view text, std::chrono::milliseconds hold) {
  constexpr size_t kMostSteps = 50;
  std::vector<RolloutStep> steps;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    MM_ASSIGN_OR_RETURN(const RolloutStep step, parse_step(text.substr(begin, comma - begin), hold));
    if (!steps.empty() && step.is_shadow && !steps.back().is_shadow)
      return invalid_argument("steps '" + std::string(text) + "': those of a shadow come before all that have traffic");
    if (!steps.empty() && step.is_shadow == steps.back().is_shadow && step.percent <= steps.back().percent)
      return invalid_argument("steps '" + std::string(text) + "' must grow from one to the next");
    steps.push_back(step);
    if (steps.size() > kMostSteps) return invalid_argument(std::to_string(kMostSteps) + " steps are the most");
    begin = comma + 1;
  }
  if (steps.back().percent != 100 || steps.back().is_shadow)
    return invalid_argument("steps '" + std::string(text) + "' must end with 100");
  if (steps.size() == 1 || steps[steps.size() - 2].is_shadow)
    return invalid_argument("steps '" + std::string(text) +
                            "' need one below 100, at which canary and baseline are compared");
  return steps;
}

bool RolloutPlan::limits_disagreement() const {
  return std::any_of(gates.begin(), gates.end(),
                     [](const RolloutGate& gate) { return gate.kind == RolloutGate::Kind::kDisagreement; });
}

std::string steps_text(const std::vector<RolloutStep>& steps) {
  std::string out;
  for (const RolloutStep& step : steps) {
    char number[32];  // the shortest text that is read as the same number
    const auto end = std::to_chars(std::begin(number), std::end(number), step.percent).ptr;
    out += (out.empty() ? "" : ",") + std::string(step.is_shadow ? kShadow : "") + std::string(number, end) + "@" +
           hold_text(step.hold);
  }
  return out;
}

Status check_gates(const std::vector<RolloutGate>& gates) {
  constexpr size_t kMostGates = 16;
  if (gates.empty()) return invalid_argument("there are no gates; leave them out for the default ones");
  if (gates.size() > kMostGates) return invalid_argument(std::to_string(kMostGates) + " gates are the most");
  for (auto gate = gates.begin(); gate != gates.end(); ++gate)
    for (auto other = gates.begin(); other != gate; ++other)
      if (gate->is_like(*other))
        return invalid_argument("gates '" + other->text + "' and '" + gate->text + "' limit the same; keep one");
  return ok_status();
}

}  // namespace modelmill
