#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace modelmill {

/// The length of the UTF-8 sequence at the beginning of `text`, which is not empty: 1 to 4, or 0 when it is not
/// well-formed.
inline size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto tail = [&](size_t n) {
    if (text.size() < n) return false;
    for (size_t i = 1; i < n; ++i)
      if ((byte(i) & 0xC0) != 0x80) return false;
    return true;
  };
  const unsigned char c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xC2 && c <= 0xDF) return tail(2) ? 2 : 0;
  if (c >= 0xE0 && c <= 0xEF) {
    if (!tail(3)) return 0;
    if (c == 0xE0 && byte(1) < 0xA0) return 0;
    if (c == 0xED && byte(1) > 0x9F) return 0;  // a surrogate
    return 3;
  }
  if (c >= 0xF0 && c <= 0xF4) {
    if (!tail(4)) return 0;
    if (c == 0xF0 && byte(1) < 0x90) return 0;
    if (c == 0xF4 && byte(1) > 0x8F) return 0;
    return 4;
  }
  return 0;
}

/// The text with U+FFFD in the place of every byte that is no part of UTF-8, and no longer than `most` bytes: cut
/// between characters.
inline std::string as_utf8(std::string_view text, size_t most) {
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const size_t n = utf8_length(text.substr(i));
    const std::string_view piece = n == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(i, n);
    if (piece.size() > most - out.size()) break;
    out += piece;
    i += n == 0 ? 1 : n;
  }
  return out;
}

}  // namespace modelmill
