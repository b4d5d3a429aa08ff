#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "dialect/proto_wire.h"

namespace modelmill {

// Fields of a protobuf message, added to one that is written as text: where its size isn't known ahead.

inline void append_varint(std::string& out, uint64_t value) {
  std::byte encoded[10];
  ProtoWriter writer(encoded);
  writer.varint(value);
  out.append(reinterpret_cast<char*>(encoded), reinterpret_cast<char*>(writer.at()));
}

inline void append_tag(std::string& out, uint32_t field, WireType type) { append_varint(out, wire_tag(field, type)); }

inline void append_varint_field(std::string& out, uint32_t field, uint64_t value) {
  append_tag(out, field, WireType::kVarint);
  append_varint(out, value);
}

inline void append_bytes(std::string& out, uint32_t field, std::string_view bytes) {
  append_tag(out, field, WireType::kBytes);
  append_varint(out, bytes.size());
  out += bytes;
}

inline void append_double_field(std::string& out, uint32_t field, double value) {
  append_tag(out, field, WireType::kFixed64);
  std::byte encoded[sizeof value];
  std::memcpy(encoded, &value, sizeof value);
  out.append(reinterpret_cast<const char*>(encoded), sizeof value);
}

}  // namespace modelmill
