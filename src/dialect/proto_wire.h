#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace modelmill {

/// The protobuf wire format, read and written by hand where generated code would copy or allocate too much: the
/// messages of ModelInfer and of TensorFlow Serving's PredictionService. Offsets and sizes are bounded by the view that
/// is read; nothing here allocates or throws.
enum class WireType : uint32_t { kVarint = 0, kFixed64 = 1, kBytes = 2, kFixed32 = 5 };

inline constexpr uint32_t wire_tag(uint32_t field, WireType type) { return field << 3 | static_cast<uint32_t>(type); }

/// Walks the fields of one message. After a false from next(), ok() tells the end from garbage.
class ProtoReader {
 public:
  explicit ProtoReader(std::string_view message)
      : at_(reinterpret_cast<const uint8_t*>(message.data())), end_(at_ + message.size()) {}

  /// Moves to the next field and reads its value.
  bool next() {
    if (at_ == end_) return false;
    uint64_t varint = 0;
    if (!read_varint(varint)) return fail();
    const auto tag = static_cast<uint32_t>(varint);
    field_ = tag >> 3;
    if (field_ == 0) return fail();
    type_ = static_cast<WireType>(tag & 7);
    switch (type_) {
      case WireType::kVarint: return read_varint(value_) || fail();
      case WireType::kFixed64: return read_fixed(8);
      case WireType::kFixed32: return read_fixed(4);
      case WireType::kBytes: return read_bytes();
    }
    return fail();  // groups, which proto3 does not have
  }

  bool ok() const { return ok_; }
  uint32_t field() const { return field_; }
  WireType type() const { return type_; }
  bool is(uint32_t field, WireType type) const { return field_ == field && type_ == type; }

  /// The value of a varint or fixed field, as its bits.
  uint64_t value() const { return value_; }
  /// The bytes of a length-delimited field.
  std::string_view bytes() const { return bytes_; }

 private:
  friend class PackedVarints;

  bool fail() {
    ok_ = false;
    at_ = end_;
    return false;
  }

  /// Bits that pass 64 are dropped, as protobuf's own parser does.
  bool read_varint(uint64_t& out) {
    if (at_ != end_ && *at_ < 0x80) [[likely]] {
      out = *at_++;
      return true;
    }
    uint64_t result = 0;
    for (int shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const uint8_t byte = *at_++;
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        out = result;
        return true;
      }
    }
    return false;
  }

  bool read_fixed(size_t size) {
    if (static_cast<size_t>(end_ - at_) < size) return fail();
    value_ = 0;
    std::memcpy(&value_, at_, size);  // little-endian, as the machines we build for
    at_ += size;
    return true;
  }

  bool read_bytes() {
    uint64_t length = 0;
    if (!read_varint(length) || length > static_cast<uint64_t>(end_ - at_)) return fail();
    bytes_ = {reinterpret_cast<const char*>(at_), static_cast<size_t>(length)};
    at_ += length;
    return true;
  }

  const uint8_t* at_;
  const uint8_t* end_;
  uint32_t field_ = 0;
  WireType type_ = WireType::kVarint;
  uint64_t value_ = 0;
  std::string_view bytes_;
  bool ok_ = true;
};

/// Walks the varints of a packed repeated field.
class PackedVarints {
 public:
  explicit PackedVarints(std::string_view packed) : reader_(packed) {}
  bool next(uint64_t& value) {
    if (reader_.at_ == reader_.end_) return false;
    return reader_.read_varint(value) || reader_.fail();
  }
  bool ok() const { return reader_.ok(); }

 private:
  ProtoReader reader_;
};

inline size_t varint_size(uint64_t value) { return (63 - static_cast<size_t>(__builtin_clzll(value | 1))) / 7 + 1; }

/// The size of a length-delimited field with a tag of one byte.
inline size_t bytes_field_size(size_t length) { return 1 + varint_size(length) + length; }

/// Writes into memory that the caller has sized exactly.
class ProtoWriter {
 public:
  explicit ProtoWriter(std::byte* out) : at_(reinterpret_cast<uint8_t*>(out)) {}

  void varint(uint64_t value) {
    while (value >= 0x80) {
      *at_++ = static_cast<uint8_t>(value | 0x80);
      value >>= 7;
    }
    *at_++ = static_cast<uint8_t>(value);
  }
  void tag(uint32_t field, WireType type) { varint(wire_tag(field, type)); }
  void length_prefix(uint32_t field, size_t length) {
    tag(field, WireType::kBytes);
    varint(length);
  }
  void bytes(uint32_t field, std::string_view text) {
    length_prefix(field, text.size());
    raw(text);
  }
  void raw(std::string_view text) {
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void fixed64(uint64_t value) {
    std::memcpy(at_, &value, sizeof value);
    at_ += sizeof value;
  }
  std::byte* at() const { return reinterpret_cast<std::byte*>(at_); }

 private:
  uint8_t* at_;
};

}  // namespace modelmill
