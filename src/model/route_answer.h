#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// The outputs of an answer that is written down: {"outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 2],
/// "data": [0, 1]}]}, as V2 writes tensors in JSON. INVALID_ARGUMENT names the output and what is wrong.
Result<std::vector<Tensor>> parse_route_answer(std::string_view json);

}  // namespace modelmill
