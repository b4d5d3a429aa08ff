#pragma once

#include "base/result.h"
#include "model/ensemble_definition.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Whether the condition is true of the tensor's elements; null, or without elements: it is not. A NaN is different
/// from all, and neither above nor below. Pure.
Result<bool> condition_holds(const StepCondition& condition, const Tensor* tensor);

}  // namespace modelmill
