#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "experiment/experiment_metric.h"

namespace modelmill {

/// What an experiment is to find out, as whoever starts it says.
struct ExperimentDefinition {
  std::string route;
  std::string control;  // an arm of the route; empty in a request: its largest share
  ExperimentMetric goal;
  std::vector<ExperimentGuardrail> guardrails;
  /// Differences below that don't matter; 0: all do. Of binary goals a share.
  double margin = 0;
  /// The probability of finding a winner where there is none; of the guardrails together, of finding a breach.
  double alpha = 0.05;
  uint64_t min_users = 100;  // of each arm, whose windows are over, before anything is decided
  uint64_t users = 10'000;   // of all arms, where the intervals are to be narrowest
  /// What a user does within that time of its first request counts, and when it is over the user is counted.
  std::chrono::milliseconds window{3'600'000};
  bool deploys_winner = false;

  bool operator==(const ExperimentDefinition&) const = default;

  size_t metrics() const { return 1 + guardrails.size(); }
  /// The goal is the first.
  const ExperimentMetric& metric(size_t index) const { return index == 0 ? goal : guardrails[index - 1].metric; }
};

/// From JSON: "route" and "goal", and if wanted "control", "guardrails", "margin", "alpha", "min_users", "users",
/// "window" and "deploy_winner". INVALID_ARGUMENT.
Result<ExperimentDefinition> parse_experiment_request(std::string_view json);
/// The same request in one form, whatever the order of its keys: what is equal is the same wish. INVALID_ARGUMENT.
Result<std::string> experiment_plan_text(std::string_view json);
/// What parse_experiment_request() reads as the same.
std::string experiment_request_json(const ExperimentDefinition& definition);

}  // namespace modelmill
