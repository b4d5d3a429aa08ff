#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// The V2 classification extension: the `top_k` largest elements of `output`, largest first, as strings
/// "value:index" or "value:index:label", for each row of the batch dimension when it has one, else of all elements.
/// The result is a kBytes tensor [rows, k] or [k]. `labels` are class names by index; it may be short or empty.
/// INVALID_ARGUMENT for types that have no order (BOOL, BYTES) and for more than a million elements in a row.
Result<Tensor> classify(const Tensor& output, uint32_t top_k, bool has_batch_dimension,
                        const std::vector<std::string>& labels);

}  // namespace modelmill
