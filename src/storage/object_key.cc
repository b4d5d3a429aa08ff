#include "storage/object_key.h"

#include <algorithm>

namespace modelmill {
namespace {

constexpr size_t kLongestKey = 1024;     // of S3, GCS and Azure alike
constexpr size_t kLongestSegment = 255;  // NAME_MAX
constexpr size_t kLongestShown = 200;

const char* wrong_with(std::string_view segment) {
  if (segment.empty()) return "it has an empty part (a '/' at its beginning, or two together)";
  if (segment == "." || segment == "..") return "it has a part '.' or '..'";
  if (segment.size() > kLongestSegment) return "a part of it is longer than 255 bytes";
  return nullptr;
}

}  // namespace

Status check_object_key(std::string_view key) {
  const auto refused = [&](const char* why) {
    return invalid_argument("the object '" + shown_key(key) + "' can't be a file here: " + why +
                            "; rename or remove it");
  };
  if (key.size() > kLongestKey) return refused("its key is longer than 1024 bytes");
  if (std::any_of(key.begin(), key.end(), [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; }))
    return refused("its key has a control character");
  std::string_view rest = key.ends_with('/') ? key.substr(0, key.size() - 1) : key;
  while (true) {
    const size_t slash = rest.find('/');
    if (const char* why = wrong_with(rest.substr(0, slash))) return refused(why);
    if (slash == std::string_view::npos) return ok_status();
    rest.remove_prefix(slash + 1);
  }
}

std::string shown_key(std::string_view key) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (const char c : key.substr(0, kLongestShown)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 32 && byte != 127) {
      out += c;
    } else {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return key.size() > kLongestShown ? out + "..." : out;
}

}  // namespace modelmill
