#include "model/tf_tensor_proto.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace modelmill {
namespace {

constexpr int64_t kMostBytes = int64_t{1} << 30;

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

std::string pack_values(const tensorflow::TensorProto& proto, DataType dtype, int64_t count) {
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

int values_in(const tensorflow::TensorProto& proto) {
  return proto.float_val_size() + proto.double_val_size() + proto.int_val_size() + proto.int64_val_size() +
         proto.uint32_val_size() + proto.uint64_val_size() + proto.bool_val_size() + proto.half_val_size() +
         proto.string_val_size();
}

}  // namespace

DataType dtype_of_tf(int32_t type) {
  switch (type) {
    case tensorflow::DT_FLOAT: return DataType::kFp32;
    case tensorflow::DT_DOUBLE: return DataType::kFp64;
    case tensorflow::DT_INT32: return DataType::kInt32;
    case tensorflow::DT_UINT8: return DataType::kUint8;
    case tensorflow::DT_INT16: return DataType::kInt16;
    case tensorflow::DT_INT8: return DataType::kInt8;
    case tensorflow::DT_STRING: return DataType::kBytes;
    case tensorflow::DT_INT64: return DataType::kInt64;
    case tensorflow::DT_BOOL: return DataType::kBool;
    case tensorflow::DT_BFLOAT16: return DataType::kBf16;
    case tensorflow::DT_UINT16: return DataType::kUint16;
    case tensorflow::DT_HALF: return DataType::kFp16;
    case tensorflow::DT_UINT32: return DataType::kUint32;
    case tensorflow::DT_UINT64: return DataType::kUint64;
    default: return DataType::kInvalid;
  }
}

tensorflow::DataType tf_dtype(DataType dtype) {
  switch (dtype) {
    case DataType::kFp32: return tensorflow::DT_FLOAT;
    case DataType::kFp64: return tensorflow::DT_DOUBLE;
    case DataType::kInt32: return tensorflow::DT_INT32;
    case DataType::kUint8: return tensorflow::DT_UINT8;
    case DataType::kInt16: return tensorflow::DT_INT16;
    case DataType::kInt8: return tensorflow::DT_INT8;
    case DataType::kBytes: return tensorflow::DT_STRING;
    case DataType::kInt64: return tensorflow::DT_INT64;
    case DataType::kBool: return tensorflow::DT_BOOL;
    case DataType::kBf16: return tensorflow::DT_BFLOAT16;
    case DataType::kUint16: return tensorflow::DT_UINT16;
    case DataType::kFp16: return tensorflow::DT_HALF;
    case DataType::kUint32: return tensorflow::DT_UINT32;
    case DataType::kUint64: return tensorflow::DT_UINT64;
    case DataType::kInvalid: break;
  }
  return tensorflow::DT_INVALID;
}

Result<Tensor> tensor_of_proto(const std::string& name, const tensorflow::TensorProto& proto) {
  const std::string what = "tensor '" + name + "' ";
  Tensor tensor;
  tensor.name = name;
  tensor.dtype = dtype_of_tf(proto.dtype());
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
