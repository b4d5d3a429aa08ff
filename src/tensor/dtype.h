#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace modelmill {

/// Element types, with the numbers of Triton's model configuration (TYPE_*) and of the backend ABI.
enum class DataType : uint8_t {
  kInvalid = 0,
  kBool = 1,
  kUint8 = 2,
  kUint16 = 3,
  kUint32 = 4,
  kUint64 = 5,
  kInt8 = 6,
  kInt16 = 7,
  kInt32 = 8,
  kInt64 = 9,
  kFp16 = 10,
  kFp32 = 11,
  kFp64 = 12,
  kBytes = 13,  // each element a string of bytes of its own length
  kBf16 = 14,
};

/// Bytes of one element; 0 for kBytes and kInvalid.
size_t dtype_size(DataType dtype);
/// The name on the V2 protocol: "FP32", "BYTES", ...; "<invalid>" for kInvalid.
std::string_view dtype_name(DataType dtype);
/// The inverse of dtype_name; nullopt for any other text.
std::optional<DataType> parse_dtype(std::string_view name);
/// The name in a model configuration: "TYPE_FP32", "TYPE_STRING", ...
std::string_view dtype_config_name(DataType dtype);

}  // namespace modelmill
