#include "route/output_values.h"

#include <cstring>

#include "tensor/float_element.h"

namespace modelmill {
namespace {

template <typename T>
double as_number(const Bytes& bytes, size_t i) {
  T value;
  std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
  return static_cast<double>(value);
}

std::vector<std::string_view> texts_of(std::string_view bytes) {
  std::vector<std::string_view> texts;
  while (bytes.size() >= sizeof(uint32_t)) {
    uint32_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof length);
    bytes.remove_prefix(sizeof length);
    texts.push_back(bytes.substr(0, length));
    bytes.remove_prefix(texts.back().size());
  }
  return texts;
}

}  // namespace

OutputValues::OutputValues(const Tensor& tensor)
    : data_(tensor.contiguous()), dtype_(tensor.dtype), width_(dtype_size(tensor.dtype)) {
  if (is_text()) texts_ = texts_of(data_.view());
  size_ = width_ == 0 ? texts_.size() : data_.size() / width_;
}

double OutputValues::number(size_t i) const {
  switch (dtype_) {
    case DataType::kBool:
    case DataType::kUint8: return as_number<uint8_t>(data_, i);
    case DataType::kUint16: return as_number<uint16_t>(data_, i);
    case DataType::kUint32: return as_number<uint32_t>(data_, i);
    case DataType::kUint64: return as_number<uint64_t>(data_, i);
    case DataType::kInt8: return as_number<int8_t>(data_, i);
    case DataType::kInt16: return as_number<int16_t>(data_, i);
    case DataType::kInt32: return as_number<int32_t>(data_, i);
    case DataType::kInt64: return as_number<int64_t>(data_, i);
    default: return float_at(data_, dtype_, i);
  }
}

}  // namespace modelmill
