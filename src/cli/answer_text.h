#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "model/signature.h"

namespace modelmill {

/// An answer of /predict (a JSON object of outputs) for a person: each output with its type, shape and values, long
/// ones shortened; of rows that are shares summing to 1 the largest first. `outputs` gives the types and may be empty.
Result<std::string> answer_text(std::string_view json, const std::vector<TensorSpec>& outputs);

}  // namespace modelmill
