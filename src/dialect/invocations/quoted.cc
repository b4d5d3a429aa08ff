#include "dialect/invocations/quoted.h"

#include <cstddef>

namespace modelmill::invocations {
namespace {

constexpr size_t kMostBytes = 64;
constexpr size_t kMostNames = 10;

bool continues_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string shortened(std::string_view text) {
  if (text.size() <= kMostBytes) return std::string(text);
  size_t length = kMostBytes;
  while (length > 0 && continues_character(text[length])) --length;
  return std::string(text.substr(0, length)) + "...";
}

std::string quoted_name(std::string_view name) { return "'" + shortened(name) + "'"; }

std::string quoted_list(std::span<const std::string> names) {
  std::string out;
  for (size_t i = 0; i < names.size() && i < kMostNames; ++i) out += (i == 0 ? "" : ", ") + quoted_name(names[i]);
  return names.size() > kMostNames ? out + ", ..." : out;
}

}  // namespace modelmill::invocations
