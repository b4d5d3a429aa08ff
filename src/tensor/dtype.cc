#include "tensor/dtype.h"

#include <array>

namespace modelmill {
namespace {

struct Row {
  DataType dtype;
  size_t size;
  std::string_view name;
  std::string_view config_name;
};

constexpr std::array<Row, 15> kRows{{
    {DataType::kInvalid, 0, "<invalid>", "TYPE_INVALID"},
    {DataType::kBool, 1, "BOOL", "TYPE_BOOL"},
    {DataType::kUint8, 1, "UINT8", "TYPE_UINT8"},
    {DataType::kUint16, 2, "UINT16", "TYPE_UINT16"},
    {DataType::kUint32, 4, "UINT32", "TYPE_UINT32"},
    {DataType::kUint64, 8, "UINT64", "TYPE_UINT64"},
    {DataType::kInt8, 1, "INT8", "TYPE_INT8"},
    {DataType::kInt16, 2, "INT16", "TYPE_INT16"},
    {DataType::kInt32, 4, "INT32", "TYPE_INT32"},
    {DataType::kInt64, 8, "INT64", "TYPE_INT64"},
    {DataType::kFp16, 2, "FP16", "TYPE_FP16"},
    {DataType::kFp32, 4, "FP32", "TYPE_FP32"},
    {DataType::kFp64, 8, "FP64", "TYPE_FP64"},
    {DataType::kBytes, 0, "BYTES", "TYPE_STRING"},
    {DataType::kBf16, 2, "BF16", "TYPE_BF16"},
}};

const Row& row(DataType dtype) {
  const auto i = static_cast<size_t>(dtype);
  return i < kRows.size() ? kRows[i] : kRows[0];
}

}  // namespace

size_t dtype_size(DataType dtype) { return row(dtype).size; }
std::string_view dtype_name(DataType dtype) { return row(dtype).name; }
std::string_view dtype_config_name(DataType dtype) { return row(dtype).config_name; }

std::optional<DataType> parse_dtype(std::string_view name) {
  for (const Row& r : kRows)
    if (r.dtype != DataType::kInvalid && r.name == name) return r.dtype;
  return std::nullopt;
}

}  // namespace modelmill
