#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "rollout/rollout_decision.h"

namespace modelmill {

/// What one process has counted of a rollout that another one decides for: its replica's statistics of one epoch, which
/// is a step of a rollout. Whoever decides adds up those of its step; those of steps before are taken away.
struct RolloutPart {
  std::string route, replica;
  uint64_t rollout = 0;
  size_t step = 0;
  RolloutWindow window;

  bool is_of(uint64_t other_rollout, size_t other_step) const { return rollout == other_rollout && step == other_step; }
  std::string key() const { return route + '/' + replica; }
  bool operator==(const RolloutPart&) const = default;
};

/// The JSON document that is kept, with "format": 1, and its reading.
std::string rollout_part_text(const RolloutPart& part);
Result<RolloutPart> parse_rollout_part(const std::string& text);

}  // namespace modelmill
