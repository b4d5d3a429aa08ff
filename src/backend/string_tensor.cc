#include "backend/string_tensor.h"

#include <cstring>

namespace modelmill {

Result<StringTensor> decode_strings(const Tensor& tensor) {
  MM_RETURN_IF_ERROR(check_tensor_bytes(tensor));
  const size_t count = static_cast<size_t>(*element_count(dims(tensor.shape)));
  const Bytes encoded = tensor.contiguous();

  StringTensor out;
  out.offsets.reserve(count + 1);
  MemoryRef memory = Memory::allocate(encoded.size() - count * sizeof(uint32_t));
  const std::byte* from = encoded.data();
  uint64_t offset = 0;
  for (size_t i = 0; i < count; ++i) {
    uint32_t length = 0;
    std::memcpy(&length, from, sizeof length);
    from += sizeof length;
    if (length != 0) std::memcpy(memory->data() + offset, from, length);
    from += length;
    out.offsets.push_back(offset);
    offset += length;
  }
  out.offsets.push_back(offset);
  out.bytes = Bytes(std::move(memory));
  return out;
}

Result<Bytes> encode_strings(std::span<const uint64_t> offsets, const void* bytes) {
  const size_t count = offsets.size() - 1;
  for (size_t i = 0; i < count; ++i) {
    if (offsets[i + 1] < offsets[i])
      return internal("offset " + std::to_string(i + 1) + " of its strings is below the one before it");
    if (offsets[i + 1] - offsets[i] > UINT32_MAX)
      return internal("string " + std::to_string(i) + " has 4 GiB or more; the protocols carry less");
  }
  MemoryRef memory = Memory::allocate(offsets[count] - offsets[0] + count * sizeof(uint32_t));
  std::byte* to = memory->data();
  for (size_t i = 0; i < count; ++i) {
    const auto length = static_cast<uint32_t>(offsets[i + 1] - offsets[i]);
    std::memcpy(to, &length, sizeof length);
    to += sizeof length;
    if (length != 0) std::memcpy(to, static_cast<const std::byte*>(bytes) + offsets[i], length);
    to += length;
  }
  return Bytes(std::move(memory));
}

}  // namespace modelmill
