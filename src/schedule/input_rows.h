#pragma once

#include <cstdint>

#include "tensor/tensor.h"

namespace modelmill {

/// Takes rows off an input, first to last, without copying them; only the bytes of a BYTES tensor that came in several
/// pieces are gathered, for its rows have to be walked through.
class InputRows {
 public:
  /// `input` has `rows` rows in its first dimension, and as many bytes as its type and shape call for.
  InputRows(const Tensor& input, int64_t rows);

  /// The next `rows`, of those that are left.
  Tensor next(int64_t rows);

 private:
  size_t end_of_strings(int64_t count) const;

  Tensor input_;  // shares the bytes
  size_t row_bytes_ = 0;
  int64_t row_strings_ = 0;
  size_t at_ = 0;
};

}  // namespace modelmill
