// Part of modelmill/backend.hpp: a reader of the JSON that the host hands over, so that backends need no library for
// it.
#ifndef MODELMILL_BACKEND_JSON_HPP_
#define MODELMILL_BACKEND_JSON_HPP_

#include <cctype>
#include <charconv>
#include <cmath>

#include "core.hpp"

namespace modelmill::backend {

/// One JSON value. Absent members read as null, so that lookups chain: config["optimization"]["graph"]["level"].
class Json {
 public:
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  using Member = std::pair<std::string, Json>;

  Json() = default;
  /// Throws Error(MM_INVALID_ARGUMENT) with the position of what is wrong.
  static Json parse(std::string_view text);

  Kind kind() const { return kind_; }
  bool is_null() const { return kind_ == Kind::kNull; }
  const std::vector<Json>& items() const { return items_; }
  const std::vector<Member>& members() const { return members_; }
  // Hidden: its static would otherwise be one for all plugins of a process.
  __attribute__((visibility("hidden"))) const Json& operator[](std::string_view key) const {
    for (const Member& member : members_)
      if (member.first == key) return member.second;
    static const Json null;
    return null;
  }

  /// A string's text; a number's or bool's as it was written; else `fallback`.
  std::string text(std::string fallback = {}) const {
    return kind_ == Kind::kString || kind_ == Kind::kNumber || kind_ == Kind::kBool ? text_ : fallback;
  }
  /// An integer, also one written as a string (protobuf writes 64-bit integers so); `fallback` when null. Else throws.
  int64_t integer(int64_t fallback = 0) const {
    if (is_null()) return fallback;
    int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error == std::errc() && end == text_.data() + text_.size() && !text_.empty()) return value;
    const double number = kind_ == Kind::kNumber ? std::strtod(text_.c_str(), nullptr) : NAN;
    if (std::abs(number) < 9e15 && number == std::floor(number)) return static_cast<int64_t>(number);
    throw Error(MM_INVALID_ARGUMENT, "'" + text_ + "' is not an integer");
  }
  /// True, "true" and 1; false, "false" and 0; `fallback` when null. Else throws.
  bool boolean(bool fallback = false) const {
    if (is_null()) return fallback;
    if (text_ == "true" || text_ == "1" || text_ == "True") return true;
    if (text_ == "false" || text_ == "0" || text_ == "False") return false;
    throw Error(MM_INVALID_ARGUMENT, "'" + text_ + "' is not true or false");
  }

 private:
  class Parser;
  Kind kind_ = Kind::kNull;
  std::string text_;
  std::vector<Json> items_;
  std::vector<Member> members_;
};

/// Recursive descent, at most 200 deep. Stricter than no JSON that the host writes.
class Json::Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Json document() {
    Json value = parse_value(0);
    skip_space();
    if (at_ != text_.size()) fail("text after the end");
    return value;
  }

 private:
  [[noreturn]] void fail(const char* what) const {
    throw Error(MM_INVALID_ARGUMENT, "JSON at byte " + std::to_string(at_) + ": " + what);
  }
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t'))
      ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) fail("unexpected text");
  }
  bool take_word(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  Json parse_value(int depth) {
    if (depth > 200) fail("nested too deep");
    skip_space();
    Json out;
    if (at_ >= text_.size()) fail("the text ends too early");
    if (text_[at_] == '{') return parse_object(depth);
    if (text_[at_] == '[') return parse_array(depth);
    if (text_[at_] == '"') {
      out.kind_ = Kind::kString;
      out.text_ = parse_string();
      return out;
    }
    if (take_word("null")) return out;
    for (const char* word : {"true", "false"}) {
      if (!take_word(word)) continue;
      out.kind_ = Kind::kBool;
      out.text_ = word;
      return out;
    }
    return parse_number();
  }

  Json parse_object(int depth) {
    Json out;
    out.kind_ = Kind::kObject;
    expect('{');
    if (take('}')) return out;
    do {
      skip_space();
      std::string key = parse_string();
      expect(':');
      out.members_.emplace_back(std::move(key), parse_value(depth + 1));
    } while (take(','));
    expect('}');
    return out;
  }

  Json parse_array(int depth) {
    Json out;
    out.kind_ = Kind::kArray;
    expect('[');
    if (take(']')) return out;
    do out.items_.push_back(parse_value(depth + 1));
    while (take(','));
    expect(']');
    return out;
  }

  Json parse_number() {
    const size_t begin = at_;
    while (at_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[at_])) ||
                                  std::string_view("+-.eE").find(text_[at_]) != std::string_view::npos))
      ++at_;
    Json out;
    out.kind_ = Kind::kNumber;
    out.text_ = std::string(text_.substr(begin, at_ - begin));
    char* end = nullptr;
    std::strtod(out.text_.c_str(), &end);
    if (out.text_.empty() || *end != '\0') fail("unexpected text");
    return out;
  }

  std::string parse_string() {
    if (at_ >= text_.size() || text_[at_] != '"') fail("a string was expected");
    ++at_;
    std::string out;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (static_cast<unsigned char>(text_[at_]) < 0x20) fail("a control character in a string");
      if (text_[at_] == '\\') {
        ++at_;
        parse_escape(out);
      } else {
        out += text_[at_++];
      }
    }
    if (at_ >= text_.size()) fail("a string without an end");
    ++at_;
    return out;
  }

  void parse_escape(std::string& out) {
    if (at_ >= text_.size()) fail("a string without an end");
    const char c = text_[at_++];
    constexpr std::string_view kFrom = "\"\\/bfnrt";
    constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
    if (const size_t i = kFrom.find(c); i != std::string_view::npos) {
      out += kTo[i];
    } else if (c == 'u') {
      uint32_t code = parse_hex();
      if (code >= 0xD800 && code < 0xDC00 && take_word("\\u"))
        code = 0x10000 + ((code - 0xD800) << 10) + ((parse_hex() - 0xDC00) & 0x3FF);
      append_utf8(out, code);
    } else {
      fail("an unknown escape");
    }
  }

  uint32_t parse_hex() {
    uint32_t code = 0;
    if (at_ + 4 > text_.size()) fail("a string without an end");
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, code, 16);
    if (error != std::errc() || end != text_.data() + at_ + 4) fail("four hexadecimal digits were expected");
    at_ += 4;
    return code;
  }

  static void append_utf8(std::string& out, uint32_t code) {
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((code >> shift) & 0x3F)); };
    if (code < 0x80) {
      out += static_cast<char>(code);
    } else if (code < 0x800) {
      out += static_cast<char>(0xC0 | (code >> 6));
      tail(0);
    } else if (code < 0x10000) {
      out += static_cast<char>(0xE0 | (code >> 12));
      tail(6), tail(0);
    } else {
      out += static_cast<char>(0xF0 | (code >> 18));
      tail(12), tail(6), tail(0);
    }
  }

  std::string_view text_;
  size_t at_ = 0;
};

inline Json Json::parse(std::string_view text) { return Parser(text).document(); }

}  // namespace modelmill::backend

#endif  // MODELMILL_BACKEND_JSON_HPP_
