#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// A rollout as the server tells it.
struct RolloutStatus {
  struct Arm {
    std::string name;
    uint64_t requests = 0, errors = 0;
    double p50_us = 0, p99_us = 0;
  };
  struct Gate {
    std::string gate, state, text;
  };
  /// Requests that are computed a second time, to be compared.
  struct Copies {
    std::string to, of, cost;
    double percent = 0;
    uint64_t compared = 0, disagreed = 0, failed = 0, shed = 0, not_compared = 0;
  };
  /// What a file wants of the name.
  struct Wish {
    std::string place, state, why;
  };
  std::string name, state, why, to, from, hold, steps;
  uint64_t number = 0, step = 0;
  bool held = false;
  bool shadow = false;  // no client is sent to the canary
  double percent = 0, watched_seconds = 0;
  Arm canary, baseline;
  std::optional<Copies> copies;
  std::vector<Gate> gates;
  std::optional<Wish> wish;

  /// A file wants the first one of the name.
  bool has_begun() const { return number > 0; }
  bool is_over() const { return state != "running" && state != "paused" && state != "waiting"; }
  /// The canary is what serves.
  bool is_good() const { return state == "promoted" || state == "reached"; }
};

/// INTERNAL where an answer is of a server that this program does not understand.
Result<RolloutStatus> read_rollout(std::string_view json);
/// What `modelmill rollout` prints: the list, one rollout, its history.
Result<std::string> rollout_list_text(std::string_view json);
std::string rollout_text(const RolloutStatus& rollout);
Result<std::string> rollout_history_text(std::string_view json);

/// One line, for what is no terminal.
std::string rollout_line(const RolloutStatus& rollout);
/// Bars from the least to the largest of the values; of zeros, the lowest ones.
std::string sparkline(const std::deque<double>& values);

}  // namespace modelmill
