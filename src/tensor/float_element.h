#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "tensor/dtype.h"
#include "tensor/float16.h"

namespace modelmill {

inline bool is_float(DataType dtype) {
  return dtype == DataType::kFp16 || dtype == DataType::kBf16 || dtype == DataType::kFp32 || dtype == DataType::kFp64;
}

/// The i-th of the elements, which are of a floating-point type.
inline double float_at(const Bytes& bytes, DataType dtype, size_t i) {
  const auto read = [&]<typename T>(T) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    return value;
  };
  switch (dtype) {
    case DataType::kFp64: return read(double{});
    case DataType::kFp16: return half_to_float(read(uint16_t{}));
    case DataType::kBf16: return bfloat16_to_float(read(uint16_t{}));
    default: return read(float{});
  }
}

}  // namespace modelmill
