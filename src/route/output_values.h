#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace modelmill {

/// The elements of a tensor as doubles, or, of kBytes, as texts: what comparisons read. Views the tensor, which
/// outlives it and whose bytes fit its shape.
class OutputValues {
 public:
  explicit OutputValues(const Tensor& tensor);

  DataType dtype() const { return dtype_; }
  bool is_text() const { return dtype_ == DataType::kBytes; }
  size_t size() const { return size_; }
  /// Not of kBytes. 64-bit integers beyond 2^53 are rounded.
  double number(size_t i) const;
  /// Of kBytes.
  std::string_view text(size_t i) const { return texts_[i]; }
  /// The bytes of an element of a fixed size.
  std::string_view raw(size_t i) const { return data_.view().substr(i * width_, width_); }

 private:
  Bytes data_;
  DataType dtype_;
  size_t width_;
  size_t size_;
  std::vector<std::string_view> texts_;
};

}  // namespace modelmill
