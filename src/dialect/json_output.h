#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/status.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Appends a tensor's elements as a JSON array: flat, or nested by its shape (a scalar is then one value). FP16 and
/// BF16 are written as the numbers they are; BYTES as strings, where what is not UTF-8 becomes U+FFFD. INTERNAL when
/// the bytes do not fit the shape.
Status append_json_elements(std::string& out, const Tensor& tensor, bool nested);

/// Writes a tensor of one dimension at least row by row, each nested as by append_json_elements(). Not synchronised.
class JsonRows {
 public:
  /// The tensor's bytes fit its shape. Keeps its memory, and a view of its shape.
  explicit JsonRows(const Tensor& tensor);
  /// The next of tensor.shape[0] rows.
  void append(std::string& out);

 private:
  const Bytes bytes_;
  const DataType dtype_;
  const std::span<const int64_t> shape_;  // of a row
  const std::byte* at_;
};

}  // namespace modelmill
