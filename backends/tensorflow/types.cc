#include "tf_api.h"

namespace modelmill::tensorflow {

mm_dtype from_tf(DataType type) {
  switch (type) {
    case DataType::kBool: return MM_BOOL;
    case DataType::kUint8: return MM_UINT8;
    case DataType::kUint16: return MM_UINT16;
    case DataType::kUint32: return MM_UINT32;
    case DataType::kUint64: return MM_UINT64;
    case DataType::kInt8: return MM_INT8;
    case DataType::kInt16: return MM_INT16;
    case DataType::kInt32: return MM_INT32;
    case DataType::kInt64: return MM_INT64;
    case DataType::kHalf: return MM_FP16;
    case DataType::kFloat: return MM_FP32;
    case DataType::kDouble: return MM_FP64;
    case DataType::kString: return MM_STRING;
    case DataType::kBfloat16: return MM_BF16;
    default: return MM_DTYPE_INVALID;
  }
}

}  // namespace modelmill::tensorflow
