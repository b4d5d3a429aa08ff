#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/output_comparison.h"
#include "rollout/rollout_gate.h"

namespace modelmill {

/// A share of the traffic, and for how long at least.
struct RolloutStep {
  double percent = 0;
  std::chrono::milliseconds hold{0};
  /// The canary gets copies of that share of the baseline's requests, and no client.
  bool is_shadow = false;
  bool operator==(const RolloutStep&) const = default;
};

/// How a rollout goes about it.
struct RolloutPlan {
  std::vector<RolloutStep> steps;  // first those of shadows, then those of traffic; each ascending, the last one 100
  std::vector<RolloutGate> gates;
  /// No step is left before each arm has answered so many.
  uint64_t min_requests = 100;
  /// How answers are compared, as of RouteShadow.
  std::map<std::string, OutputComparison> compare;

  bool operator==(const RolloutPlan&) const = default;
  /// Those at which there is a baseline to compare with.
  size_t comparing_steps() const { return steps.size() - 1; }
  bool limits_disagreement() const;
  /// At it requests are copied, so that one side's answers can be compared with the other's.
  bool copies_at(size_t step) const {
    return steps[step].is_shadow || (step < comparing_steps() && limits_disagreement());
  }
};

inline constexpr std::string_view kDefaultSteps = "5,25,50,100";
inline constexpr std::string_view kDefaultHold = "10m";
inline constexpr std::string_view kDefaultGates[] = {"error_rate<=+0.5pp", "p99<=1.1x"};

/// "5,25,50,100"; a step may have a hold time of its own: "5@1h,50,100"; the first ones may be of shadows:
/// "shadow:10@30m,5,50,100". INVALID_ARGUMENT says which step is wrong.
Result<std::vector<RolloutStep>> parse_steps(std::string_view text, std::chrono::milliseconds hold);
std::string steps_text(const std::vector<RolloutStep>& steps);

/// "500ms", "90s", "10m", "2h", up to 30 days.
Result<std::chrono::milliseconds> parse_hold(std::string_view text);
std::string hold_text(std::chrono::milliseconds hold);

/// What is wrong with the gates together, or their number. INVALID_ARGUMENT.
Status check_gates(const std::vector<RolloutGate>& gates);

}  // namespace modelmill
