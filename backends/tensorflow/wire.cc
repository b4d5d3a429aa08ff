#include "wire.h"

namespace modelmill::tensorflow {

std::optional<uint64_t> WireReader::take_varint() {
  constexpr int kMostBits = 64;
  uint64_t value = 0;
  for (int shift = 0; shift < kMostBits && !rest_.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    value |= uint64_t{byte & 0x7fU} << shift;
    if ((byte & 0x80U) == 0) return value;
  }
  return std::nullopt;
}

bool WireReader::take_bytes(uint64_t size) {
  if (size > rest_.size()) return broken();
  bytes_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool WireReader::next() {
  if (!ok_ || rest_.empty()) return false;
  const auto tag = take_varint();
  if (!tag || *tag >> 3 == 0 || *tag >> 32 != 0) return broken();
  field_ = static_cast<uint32_t>(*tag >> 3);
  type_ = static_cast<uint32_t>(*tag & 7U);
  switch (type_) {
    case 0: {
      const auto value = take_varint();
      if (!value) return broken();
      varint_ = *value;
      return true;
    }
    case 1: return take_bytes(8);
    case 2: {
      const auto size = take_varint();
      return size ? take_bytes(*size) : broken();
    }
    case 5: return take_bytes(4);
    default: return broken();  // groups were never used in TensorFlow's messages
  }
}

MapEntry read_map_entry(std::string_view bytes) {
  MapEntry out;
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.field() == 1) out.key = std::string(reader.bytes());
    if (reader.field() == 2) out.value = reader.bytes();
  }
  out.ok = reader.ok();
  return out;
}

void WireWriter::varint(uint64_t value) {
  for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80U);
  out_ += static_cast<char>(value);
}

WireWriter& WireWriter::number(uint32_t field, int64_t value) {
  varint(uint64_t{field} << 3);
  varint(static_cast<uint64_t>(value));
  return *this;
}

WireWriter& WireWriter::bytes(uint32_t field, std::string_view value) {
  varint(uint64_t{field} << 3 | 2U);
  varint(value.size());
  out_ += value;
  return *this;
}

}  // namespace modelmill::tensorflow
