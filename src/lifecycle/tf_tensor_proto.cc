#include "lifecycle/tf_tensor_proto.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace modelmill {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;

/// By the numbers of types.proto.
DataType dtype_of(int32_t type) {
  switch (type) {
    case 1: return DataType::kFp32;
    case 2: return DataType::kFp64;
    case 3: return DataType::kInt32;
    case 4: return DataType::kUint8;
    case 5: return DataType::kInt16;
    case 6: return DataType::kInt8;
    case 7: return DataType::kBytes;
    case 9: return DataType::kInt64;
    case 10: return DataType::kBool;
    case 14: return DataType::kBf16;
    case 17: return DataType::kUint16;
    case 19: return DataType::kFp16;
    case 22: return DataType::kUint32;
    case 23: return DataType::kUint64;
    default: return DataType::kInvalid;
  }
}

/// `count` elements out of as many values as there are, narrowed to T.
template <typename T, typename Values>
std::string pack(const Values& values, int64_t count) {
  std::string out(static_cast<size_t>(count) * sizeof(T), '\0');
  for (int64_t i = 0; i < count && !values.empty(); ++i) {
    const auto value = static_cast<T>(values.Get(std::min<int>(static_cast<int>(i), values.size() - 1)));
    std::memcpy(out.data() + static_cast<size_t>(i) * sizeof(T), &value, sizeof(T));
  }
  return out;
}

std::string pack_strings(const google::protobuf::RepeatedPtrField<std::string>& values, int64_t count) {
  std::string out;
  for (int64_t i = 0; i < count; ++i) {
    const std::string_view text =
        values.empty() ? std::string_view() : values.Get(std::min<int>(static_cast<int>(i), values.size() - 1));
    const auto length = static_cast<uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += text;
  }
  return out;
}

std::string pack_values(const tf_warmup::TensorProto& proto, DataType dtype, int64_t count) {
  switch (dtype) {
    case DataType::kFp32: return pack<float>(proto.float_val(), count);
    case DataType::kFp64: return pack<double>(proto.double_val(), count);
    case DataType::kInt8: return pack<int8_t>(proto.int_val(), count);
    case DataType::kInt16: return pack<int16_t>(proto.int_val(), count);
    case DataType::kInt32: return pack<int32_t>(proto.int_val(), count);
    case DataType::kInt64: return pack<int64_t>(proto.int64_val(), count);
    case DataType::kUint8: return pack<uint8_t>(proto.int_val(), count);
    case DataType::kUint16: return pack<uint16_t>(proto.int_val(), count);
    case DataType::kUint32: return pack<uint32_t>(proto.uint32_val(), count);
    case DataType::kUint64: return pack<uint64_t>(proto.uint64_val(), count);
    case DataType::kBool: return pack<bool>(proto.bool_val(), count);
    case DataType::kFp16:
    case DataType::kBf16: return pack<uint16_t>(proto.half_val(), count);
    case DataType::kBytes: return pack_strings(proto.string_val(), count);
    case DataType::kInvalid: break;
  }
  return {};
}

int values_in(const tf_warmup::TensorProto& proto) {
  return proto.float_val_size() + proto.double_val_size() + proto.int_val_size() + proto.int64_val_size() +
         proto.uint32_val_size() + proto.uint64_val_size() + proto.bool_val_size() + proto.half_val_size() +
         proto.string_val_size();
}

}  // namespace

Result<Tensor> tensor_of_proto(const std::string& name, const tf_warmup::TensorProto& proto) {
  const std::string what = "tensor '" + name + "' ";
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = dtype_of(proto.dtype());
  if (tensor.dtype == DataType::kInvalid)
    return invalid_argument(what + "has TensorFlow's type " + std::to_string(proto.dtype()) +
                            ", which can't be served");
  if (proto.tensor_shape().unknown_rank()) return invalid_argument(what + "has no shape");
  for (const auto& dim : proto.tensor_shape().dim()) tensor.shape.push_back(dim.size());
  const auto count = element_count(dims(tensor.shape));
  const auto element = static_cast<int64_t>(std::max<size_t>(dtype_size(tensor.dtype), 4));
  if (!count || *count < 0 || *count > kMostBytes / element || tensor.shape.size() > kMaxRank)
    return invalid_argument(what + "has shape " + shape_text(dims(tensor.shape)) + ", which is too large or negative");
  if (values_in(proto) > *count)
    return invalid_argument(what + "has more values than its shape " + shape_text(dims(tensor.shape)) +
                            " has elements");
  const bool raw = tensor.dtype != DataType::kBytes && !proto.tensor_content().empty();
  tensor.data.push_back(Bytes::from_string(raw ? proto.tensor_content() : pack_values(proto, tensor.dtype, *count)));
  MM_RETURN_IF_ERROR(check_tensor_bytes(tensor));
  return tensor;
}

}  // namespace modelmill
