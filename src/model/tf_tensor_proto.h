#pragma once

#include <string>

#include "base/result.h"
#include "tensor/tensor.h"
#include "tensorflow.pb.h"

namespace modelmill {

/// By the numbers of types.proto; kInvalid for a type that is not served.
DataType dtype_of_tf(int32_t type);
/// The inverse; DT_INVALID for kInvalid.
tensorflow::DataType tf_dtype(DataType dtype);

/// A tensor of TensorFlow's message, whether its elements are raw bytes or values of a type; as TensorFlow reads them,
/// the last value stands for those that are missing. Errors are INVALID_ARGUMENT.
Result<Tensor> tensor_of_proto(const std::string& name, const tensorflow::TensorProto& proto);

}  // namespace modelmill
