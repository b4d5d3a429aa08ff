#include "tensor/tensor.h"

#include <cstring>

namespace modelmill {

size_t Tensor::byte_size() const {
  size_t total = 0;
  for (const Bytes& chunk : data) total += chunk.size();
  return total;
}

Bytes Tensor::contiguous() const {
  if (data.size() == 1) return data[0];
  MemoryRef memory = Memory::allocate(byte_size());
  std::byte* out = memory->data();
  for (const Bytes& chunk : data) {
    if (!chunk.empty()) std::memcpy(out, chunk.data(), chunk.size());
    out += chunk.size();
  }
  return Bytes(std::move(memory));
}

namespace {

Status check_strings(const Tensor& tensor, int64_t expected) {
  const Bytes bytes = tensor.contiguous();
  const std::byte* p = bytes.data();
  size_t left = bytes.size();
  int64_t found = 0;
  while (left > 0) {
    uint32_t length = 0;
    if (left < sizeof length)
      return invalid_argument("tensor '" + tensor.name + "': string " + std::to_string(found) +
                              " is cut off inside its 4-byte length");
    std::memcpy(&length, p, sizeof length);
    p += sizeof length;
    left -= sizeof length;
    if (length > left)
      return invalid_argument("tensor '" + tensor.name + "': string " + std::to_string(found) + " says it has " +
                              std::to_string(length) + " bytes, but only " + std::to_string(left) + " are left");
    p += length;
    left -= length;
    ++found;
  }
  if (found != expected)
    return invalid_argument("tensor '" + tensor.name + "' has shape " + shape_text(dims(tensor.shape)) + ", so " +
                            std::to_string(expected) + " strings were expected, but the data holds " +
                            std::to_string(found));
  return ok_status();
}

}  // namespace

Status check_tensor_bytes(const Tensor& tensor) {
  const auto count = element_count(dims(tensor.shape));
  if (!count)
    return invalid_argument("tensor '" + tensor.name + "' has shape " + shape_text(dims(tensor.shape)) +
                            ": its sizes must not be negative and their product must stay below 2^63");
  if (tensor.dtype == DataType::kBytes) return check_strings(tensor, *count);
  int64_t expected = 0;
  if (__builtin_mul_overflow(*count, static_cast<int64_t>(dtype_size(tensor.dtype)), &expected) ||
      static_cast<uint64_t>(expected) != tensor.byte_size()) {
    return invalid_argument("tensor '" + tensor.name + "' has type " + std::string(dtype_name(tensor.dtype)) +
                            " and shape " + shape_text(dims(tensor.shape)) + ", so " + std::to_string(expected) +
                            " bytes were expected, but got " + std::to_string(tensor.byte_size()));
  }
  return ok_status();
}

}  // namespace modelmill
