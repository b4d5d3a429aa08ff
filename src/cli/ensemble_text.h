#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

// What `modelmill ensemble` prints of a server's answers.

/// All ensembles whose members have weights.
Result<std::string> ensemble_list_text(std::string_view json);
/// One, with the weights and losses of its members.
Result<std::string> ensemble_weights_text(std::string_view json);
/// What became of feedback.
Result<std::string> feedback_counts_text(std::string_view json);

}  // namespace modelmill
