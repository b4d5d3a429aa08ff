#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "tensor/shape.h"

namespace modelmill {

/// Numbers as FP32, in 64-byte-aligned memory.
struct FloatArray {
  Bytes floats;
  Shape shape;
  int64_t count = 0;  // the product of the shape
};

/// Reads what stands between the brackets of a JSON array, `text`, as floats: each is the one nearest to its decimal.
/// Those are numbers, or arrays that nest equally deep and long down to numbers. `text` is followed by its ']'. Nothing
/// when it is none of these by JSON's grammar, or not of numbers that floats can hold, or when it seems to be of whole
/// numbers, which are seldom meant for floats.
std::optional<FloatArray> read_float_array(std::string_view text);

}  // namespace modelmill
