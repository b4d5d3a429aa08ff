#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What an experiment counts of each user.
struct ExperimentMetric {
  std::string name;
  bool is_binary = true;  // whether there was any outcome but 0; else the sum of the outcomes
  bool is_lower_better = false;

  bool operator==(const ExperimentMetric&) const = default;
};

/// The metric that decides: "purchase" (binary), "revenue:mean", either with ":lower" where less is better.
/// INVALID_ARGUMENT.
Result<ExperimentMetric> parse_goal(std::string_view text);
std::string goal_text(const ExperimentMetric& goal);

/// A metric that must not get worse than control's by more than a margin.
struct ExperimentGuardrail {
  ExperimentMetric metric;
  double margin = 0;  // not below 0; of binary metrics a share
  std::string text;   // as it was written

  bool operator==(const ExperimentGuardrail&) const = default;
};

/// "refund<=+0.5pp" (binary: at most half a point more than control), "basket>=-1.5" (the mean at most 1.5 less).
/// INVALID_ARGUMENT.
Result<ExperimentGuardrail> parse_guardrail(std::string_view text);

}  // namespace modelmill
