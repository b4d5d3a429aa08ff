#include "dialect/invocations/json_members.h"

#include <algorithm>
#include <cstring>

namespace modelmill::invocations {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

/// Takes a text apart from its begin to its end.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool take(char c) {
    text_ = after_spaces(text_);
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }

  /// Takes a string with its quotes; empty: there is none, or it does not end.
  std::string_view take_string() {
    text_ = after_spaces(text_);
    return text_.empty() || text_.front() != '"' ? std::string_view() : take_prefix(string_length(text_));
  }

  /// Takes a value; empty: there is none, or it does not end.
  std::string_view take_value() {
    text_ = after_spaces(text_);
    if (text_.empty()) return {};
    const char first = text_.front();
    if (first == '"') return take_prefix(string_length(text_));
    if (first == '{' || first == '[') return take_prefix(nested_length(text_));
    return take_prefix(std::min(text_.find_first_of(",}] \t\r\n"), text_.size()));
  }

 private:
  std::string_view take_prefix(size_t length) {
    const std::string_view taken = text_.substr(0, length);
    text_.remove_prefix(taken.size());
    return taken;
  }

  /// Of the string that `text` begins with, quotes included; 0: it does not end.
  static size_t string_length(std::string_view text) {
    for (size_t at = 1; at < text.size(); ++at) {
      const void* const quote = std::memchr(text.data() + at, '"', text.size() - at);
      if (quote == nullptr) return 0;
      at = static_cast<size_t>(static_cast<const char*>(quote) - text.data());
      size_t escapes = 0;
      while (text[at - 1 - escapes] == '\\') ++escapes;  // ends at the opening quote
      if (escapes % 2 == 0) return at + 1;
    }
    return 0;
  }

  /// The same of an object or array, by its brackets alone.
  static size_t nested_length(std::string_view text) {
    size_t depth = 0;
    for (size_t at = 0; at < text.size(); ++at) {
      const char c = text[at];
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return at + 1;
      if (c != '"') continue;
      const size_t length = string_length(text.substr(at));
      if (length == 0) return 0;
      at += length - 1;
    }
    return 0;
  }

  std::string_view text_;
};

}  // namespace

std::string_view after_spaces(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kSpaces), text.size()));
  return text;
}

void each_json_member(std::string_view text, const std::function<bool(const JsonMember&)>& take) {
  Reader reader(text);
  if (!reader.take('{')) return;
  do {
    const std::string_view key = reader.take_string();
    if (key.empty() || !reader.take(':')) return;
    const std::string_view value = reader.take_value();
    if (value.empty() || !take({key.substr(1, key.size() - 2), value})) return;
  } while (reader.take(','));
}

std::vector<JsonMember> json_members(std::string_view text, std::span<const std::string_view> names) {
  std::vector<JsonMember> members;
  each_json_member(text, [&](const JsonMember& member) {
    const bool wanted = std::find(names.begin(), names.end(), member.key) != names.end();
    if (wanted && json_member(members, member.key).empty()) members.push_back(member);
    return members.size() < names.size();
  });
  return members;
}

std::string_view json_member(const std::vector<JsonMember>& members, std::string_view key) {
  const auto found =
      std::find_if(members.begin(), members.end(), [&](const JsonMember& member) { return member.key == key; });
  return found == members.end() ? std::string_view() : found->value;
}

}  // namespace modelmill::invocations
