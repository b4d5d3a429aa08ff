#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "model/ensemble_definition.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Makes one tensor, called `name`, of those of several members: FP32 or FP64 for mean, maximum and soft vote (which
/// here is the mean), labels for the majority. Equal shapes are the caller's business: INVALID_ARGUMENT names what
/// differs. Weights, one for each tensor, count for all but kAverage and kMax. Where as many speak for one label as for
/// another, the one that was said first in the order of the tensors wins. A NaN makes the maximum NaN. Pure.
Result<Tensor> combine(Combiner combiner, const std::string& name, std::span<const Tensor* const> tensors,
                       std::span<const double> weights);

/// The place of the largest value along the last dimension, the first of equals; INT64, and a dimension less.
Tensor largest_class(const std::string& name, const Tensor& probabilities);

}  // namespace modelmill
