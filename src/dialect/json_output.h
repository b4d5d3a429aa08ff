#pragma once

#include <string>

#include "base/status.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Appends a tensor's elements as a JSON array: flat, or nested by its shape (a scalar is then one value). FP16 and
/// BF16 are written as the numbers they are; BYTES as strings, where what is not UTF-8 becomes U+FFFD. INTERNAL when
/// the bytes do not fit the shape.
Status append_json_elements(std::string& out, const Tensor& tensor, bool nested);

}  // namespace modelmill
