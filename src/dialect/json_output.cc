#include "dialect/json_output.h"

#include <array>
#include <cstring>

#include "base/json_float.h"
#include "base/json_text.h"
#include "tensor/float16.h"

namespace modelmill {
namespace {

/// Reads the elements one after another.
class Elements {
 public:
  explicit Elements(const std::byte* at) : at_(at) {}
  const std::byte* at() const { return at_; }

  template <typename T>
  T next() {
    T value;
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::string_view next_string() {
    const auto length = next<uint32_t>();
    const auto* text = reinterpret_cast<const char*>(at_);
    at_ += length;
    return {text, length};
  }

 private:
  const std::byte* at_;
};

void append_element(std::string& out, DataType dtype, Elements& elements) {
  switch (dtype) {
    case DataType::kBool: out += elements.next<uint8_t>() != 0 ? "true" : "false"; break;
    case DataType::kUint8: append_json_number(out, uint64_t{elements.next<uint8_t>()}); break;
    case DataType::kUint16: append_json_number(out, uint64_t{elements.next<uint16_t>()}); break;
    case DataType::kUint32: append_json_number(out, uint64_t{elements.next<uint32_t>()}); break;
    case DataType::kUint64: append_json_number(out, elements.next<uint64_t>()); break;
    case DataType::kInt8: append_json_number(out, int64_t{elements.next<int8_t>()}); break;
    case DataType::kInt16: append_json_number(out, int64_t{elements.next<int16_t>()}); break;
    case DataType::kInt32: append_json_number(out, int64_t{elements.next<int32_t>()}); break;
    case DataType::kInt64: append_json_number(out, elements.next<int64_t>()); break;
    case DataType::kFp16: append_json_number(out, half_to_float(elements.next<uint16_t>())); break;
    case DataType::kBf16: append_json_number(out, bfloat16_to_float(elements.next<uint16_t>())); break;
    case DataType::kFp32: append_json_number(out, elements.next<float>()); break;
    case DataType::kFp64: append_json_number(out, elements.next<double>()); break;
    case DataType::kBytes: append_json_string(out, elements.next_string()); break;
    case DataType::kInvalid: out += "null"; break;
  }
}

/// FP32, what most tensors are: written in blocks.
void append_floats(std::string& out, int64_t count, Elements& elements) {
  std::array<char, 4096> block;
  char* at = block.data();
  for (int64_t i = 0; i < count; ++i) {
    if (block.data() + block.size() - at < static_cast<std::ptrdiff_t>(kJsonFloatRoom + 1)) {
      out.append(block.data(), at);
      at = block.data();
    }
    if (i != 0) *at++ = ',';
    at = write_json_float(at, elements.next<float>());
  }
  out.append(block.data(), at);
}

void append_row(std::string& out, DataType dtype, int64_t count, Elements& elements) {
  out += '[';
  if (dtype == DataType::kFp32) {
    append_floats(out, count, elements);
    out += ']';
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    if (i != 0) out += ',';
    append_element(out, dtype, elements);
  }
  out += ']';
}

void append_nested(std::string& out, DataType dtype, std::span<const int64_t> shape, Elements& elements) {
  if (shape.empty()) return append_element(out, dtype, elements);
  if (shape.size() == 1) return append_row(out, dtype, shape[0], elements);
  out += '[';
  for (int64_t i = 0; i < shape[0]; ++i) {
    if (i != 0) out += ',';
    append_nested(out, dtype, shape.subspan(1), elements);
  }
  out += ']';
}

}  // namespace

Status append_json_elements(std::string& out, const Tensor& tensor, bool nested) {
  if (const Status fits = check_tensor_bytes(tensor); !fits.ok()) {
    return internal("the model's answer cannot be written as JSON: " + fits.message());
  }
  const Bytes bytes = tensor.contiguous();
  const int64_t count = element_count(dims(tensor.shape)).value_or(0);
  out.reserve(out.size() + bytes.size() * 3 + 16);  // a float takes about 11 characters
  Elements elements(bytes.data());
  if (count == 0) {
    out += "[]";
  } else if (nested) {
    append_nested(out, tensor.dtype, dims(tensor.shape), elements);
  } else {
    append_row(out, tensor.dtype, count, elements);
  }
  return ok_status();
}

JsonRows::JsonRows(const Tensor& tensor)
    : bytes_(tensor.contiguous()), dtype_(tensor.dtype), shape_(dims(tensor.shape).subspan(1)), at_(bytes_.data()) {}

void JsonRows::append(std::string& out) {
  if (element_count(shape_).value_or(0) == 0) {
    out += "[]";
    return;
  }
  Elements elements(at_);
  append_nested(out, dtype_, shape_, elements);
  at_ = elements.at();
}

}  // namespace modelmill
