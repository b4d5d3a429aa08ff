#pragma once

#include <string>

#include "base/result.h"
#include "tensor/tensor.h"
#include "tf_warmup.pb.h"

namespace modelmill {

/// A tensor of TensorFlow's message, whether its elements are raw bytes or values of a type; as TensorFlow reads them,
/// the last value stands for those that are missing. Errors are INVALID_ARGUMENT.
Result<Tensor> tensor_of_proto(const std::string& name, const tf_warmup::TensorProto& proto);

}  // namespace modelmill
