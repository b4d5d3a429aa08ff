#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace modelmill {

/// Numbers as FP32, in 64-byte-aligned memory.
struct FloatArray {
  Bytes floats;
  int64_t count = 0;
};

/// Reads what stands between the brackets of a JSON array, `text`, as floats: each is the one nearest to its decimal.
/// `text` is followed by its ']'. Nothing when it is not a list of numbers by JSON's grammar that floats can hold, or
/// when it seems to be of whole numbers, which are seldom meant for floats.
std::optional<FloatArray> read_float_array(std::string_view text);

}  // namespace modelmill
