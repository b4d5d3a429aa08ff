#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace modelmill {

/// Appends JSON to a string: `"text"` with escapes; bytes that are not UTF-8 become U+FFFD, so the output always
/// parses.
void append_json_string(std::string& out, std::string_view text);
void append_json_number(std::string& out, int64_t value);
void append_json_number(std::string& out, uint64_t value);
/// The shortest text that reads back as the same float or double; JSON has no NaN or infinity, so they become NaN,
/// Infinity and -Infinity, as Python's and RapidJSON's writers do.
void append_json_number(std::string& out, float value);
void append_json_number(std::string& out, double value);

/// A writer of one JSON document that keeps the commas. Calls must be balanced; keys come before values in objects.
class JsonWriter {
 public:
  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(int64_t number);
  JsonWriter& value(uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<int64_t>(number)); }
  JsonWriter& value(unsigned number) { return value(static_cast<uint64_t>(number)); }
  JsonWriter& value(double number);
  JsonWriter& value(bool flag);
  JsonWriter& null();
  /// Appends text that is already JSON.
  JsonWriter& raw(std::string_view json);
  template <typename T>
  JsonWriter& field(std::string_view name, const T& v) {
    return key(name).value(v);
  }

  const std::string& text() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char c);
  JsonWriter& close(char c);
  void separate();

  std::string out_;
  bool comma_ = false;
};

}  // namespace modelmill
