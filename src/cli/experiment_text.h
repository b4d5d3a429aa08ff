#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What `modelmill experiment` prints of a server's answers: the list, one experiment, what became of outcomes.
/// INTERNAL where an answer is of a server that this program does not understand.
Result<std::string> experiment_list_text(std::string_view json);
Result<std::string> experiment_text(std::string_view json);
Result<std::string> outcome_counts_text(std::string_view json);

}  // namespace modelmill
