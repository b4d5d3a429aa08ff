#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "tensor/tensor.h"

namespace modelmill {

/// Strings as the backend ABI has them: string i is [offsets[i], offsets[i + 1]) of `bytes`.
struct StringTensor {
  std::vector<uint64_t> offsets;
  Bytes bytes;
};

/// From the V2 encoding of a kBytes tensor (each string behind its 4-byte length), with one copy. The error names the
/// tensor and where its data ends too early or too late.
Result<StringTensor> decode_strings(const Tensor& tensor);

/// To the V2 encoding. `offsets` has one more entry than there are strings, must not fall, and reaches into `bytes`
/// only; a string of 4 GiB or more is an error.
Result<Bytes> encode_strings(std::span<const uint64_t> offsets, const void* bytes);

}  // namespace modelmill
