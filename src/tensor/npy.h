#pragma once

#include <string_view>

#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// True when the bytes begin as NumPy's .npy files do.
bool is_npy(std::string_view bytes);

/// Reads a .npy file (format 1.0, 2.0 or 3.0). Booleans, integers and floats of either byte order, S (bytes) and U
/// (text, to UTF-8) as kBytes; Fortran order is turned round. The data is a view of `file` where it can be
/// (little-endian, C order, 64-byte aligned), else a copy. INVALID_ARGUMENT names what is wrong with the file; object
/// arrays (pickles) are refused.
Result<Tensor> parse_npy(const Bytes& file);

/// A .npy file: the header and the tensor's own chunks. kBytes becomes NumPy's S with the longest element's length;
/// kBf16, which NumPy lacks, becomes float32.
Chunks write_npy(const Tensor& tensor);

}  // namespace modelmill
