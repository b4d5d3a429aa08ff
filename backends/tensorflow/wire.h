#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace modelmill::tensorflow {

/// A serialized protobuf message, field by field, without a copy. Reads nothing outside its bytes, whatever they are;
/// what can't be right ends it with ok() false.
class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : rest_(bytes) {}

  /// Goes on to the next field; false at the end, or where the bytes are broken.
  bool next();
  bool ok() const { return ok_; }

  uint32_t field() const { return field_; }
  bool is_bytes() const { return type_ == 2; }
  bool is_varint() const { return type_ == 0; }
  /// The field's bytes (a string, a message, packed numbers); empty unless is_bytes().
  std::string_view bytes() const { return is_bytes() ? bytes_ : std::string_view(); }
  /// The field's number; 0 unless is_varint().
  uint64_t varint() const { return is_varint() ? varint_ : 0; }

 private:
  std::optional<uint64_t> take_varint();
  bool take_bytes(uint64_t size);
  bool broken() { return ok_ = false; }

  std::string_view rest_, bytes_;
  uint64_t varint_ = 0;
  uint32_t field_ = 0, type_ = 0;
  bool ok_ = true;
};

/// An entry of a map field with text keys.
struct MapEntry {
  std::string key;
  std::string_view value;
  bool ok = true;
};
MapEntry read_map_entry(std::string_view bytes);

/// Writes protobuf fields.
class WireWriter {
 public:
  WireWriter& number(uint32_t field, int64_t value);
  WireWriter& bytes(uint32_t field, std::string_view value);
  const std::string& out() const { return out_; }

 private:
  void varint(uint64_t value);
  std::string out_;
};

}  // namespace modelmill::tensorflow
