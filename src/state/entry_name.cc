#include "state/entry_name.h"

#include <simdjson.h>

#include <string_view>

namespace modelmill {
namespace {

constexpr std::string_view kEnding = ".json";
/// File systems take 255 bytes; the rest is for the endings.
constexpr size_t kLongestName = 240;
constexpr std::string_view kHexDigits = "0123456789ABCDEF";

bool stays(unsigned char c, bool first) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter || c == '-' || c == '_' || c >= 0x80 || (c == '.' && !first);
}

}  // namespace

Result<std::string> entry_name(const std::string& key) {
  if (key.empty()) return invalid_argument("a key of the state's store must not be empty");
  if (!simdjson::validate_utf8(key)) return invalid_argument("a key of the state's store must be UTF-8");
  std::string name;
  for (const char c : key) {
    const auto byte = static_cast<unsigned char>(c);
    if (stays(byte, name.empty())) {
      name += c;
    } else {
      name += '%';
      name += kHexDigits[byte >> 4];
      name += kHexDigits[byte & 15];
    }
  }
  if (name.size() > kLongestName)
    return invalid_argument("key '" + key.substr(0, 64) + "...' of the state's store takes " +
                            std::to_string(name.size()) + " bytes as a file's name, at most " +
                            std::to_string(kLongestName) + " are possible");
  return name + std::string(kEnding);
}

std::optional<std::string> entry_key(const std::string& name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  std::string key;
  for (size_t i = 0; i < name.size() - kEnding.size(); ++i) {
    if (name[i] != '%') {
      key += name[i];
      continue;
    }
    const size_t high = kHexDigits.find(name[i + 1]);
    const size_t low = kHexDigits.find(name[i + 2]);
    if (high == std::string_view::npos || low == std::string_view::npos) return std::nullopt;
    key += static_cast<char>(high << 4 | low);
    i += 2;
  }
  // Only what entry_name() writes: each key has one file.
  const Result<std::string> again = entry_name(key);
  if (!again.ok() || *again != name) return std::nullopt;
  return key;
}

}  // namespace modelmill
