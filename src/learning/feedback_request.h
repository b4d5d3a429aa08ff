#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "learning/member_loss.h"

namespace modelmill {

/// So many may come at once.
inline constexpr size_t kMostFeedback = 10'000;

/// What would have been right for one request.
struct Feedback {
  std::string id;     // of the request
  uint64_t hash = 0;  // stable_hash() of it
  Label label;
};

/// From JSON: one, a list of them, or {"feedback": [...]}. Each has "id", a text or whole number, and "label": a
/// number, a text, true or false, or lists of any depth of them. INVALID_ARGUMENT says which one is wrong.
Result<std::vector<Feedback>> parse_feedback(std::string_view json);

/// {"weights": {"forest": 0.6, "net": 0.4}}: one for each of `members`, from 0 on and not all 0. They come by the order
/// of `members`, and sum to 1.
Result<std::vector<double>> parse_weights(std::string_view json, const std::vector<std::string>& members);

}  // namespace modelmill
