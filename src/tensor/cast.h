#pragma once

#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// The tensor with its elements as `dtype`; the same bytes when it has that already. Floats become integers only where
/// they are whole and in range, numbers become BOOL only where they are 0 or 1; INVALID_ARGUMENT names the first
/// element that does not fit. kBytes casts to nothing else.
Result<Tensor> cast_tensor(const Tensor& tensor, DataType dtype);

}  // namespace modelmill
