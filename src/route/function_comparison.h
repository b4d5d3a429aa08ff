#pragma once

#include <map>
#include <span>
#include <string>

#include "base/result.h"
#include "model/output_comparison.h"
#include "route/output_distance.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Both answers and the inputs of their request as kComparisonInput: a 32-bit length, JSON of so many bytes that says
/// what is where, and the tensors' bytes, in memory of their own. python/modelmill/comparisons.py reads it.
Tensor packed_comparison(std::span<const Tensor> primary, std::span<const Tensor> shadow,
                         std::span<const Tensor> inputs);

/// Whether one of the primary's outputs is a function's to compare.
bool asks_function(std::span<const Tensor> primary, const std::map<std::string, OutputComparison>& comparisons);

/// What the function says, by the outputs of its model: 'distance' and 'limit' (FP64) and 'why' (BYTES), of one element
/// each. INTERNAL says what is wrong with them.
Result<OutputDistance> function_distance(std::span<const Tensor> outputs);

}  // namespace modelmill
