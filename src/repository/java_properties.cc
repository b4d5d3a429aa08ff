#include "repository/java_properties.h"

#include <cstdint>

#include "base/hex_text.h"

namespace modelmill {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&out](uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

/// The next line with those it goes on in, without blanks before it; `text` begins behind it afterwards.
std::string next_line(std::string_view& text) {
  std::string line;
  while (!text.empty()) {
    const size_t end = text.find_first_of("\r\n");
    std::string_view piece = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (end != std::string_view::npos && text.starts_with('\n') && piece.data()[piece.size()] == '\r')
      text.remove_prefix(1);
    while (!piece.empty() && is_blank(piece.front())) piece.remove_prefix(1);
    if (line.empty() && (piece.starts_with('#') || piece.starts_with('!'))) return {};
    size_t backslashes = 0;
    while (backslashes < piece.size() && piece[piece.size() - 1 - backslashes] == '\\') ++backslashes;
    const bool goes_on = backslashes % 2 == 1;
    line += piece.substr(0, piece.size() - (goes_on ? 1 : 0));
    if (!goes_on) return line;
  }
  return line;
}

/// Four hexadecimal digits from `at` on; above 16 bits: they are none.
uint32_t code_unit(std::string_view text, size_t at) {
  uint32_t code = 0;
  for (size_t i = at; i < at + 4; ++i) {
    const int digit = i < text.size() ? hex_digit(text[i]) : -1;
    if (digit < 0) return UINT32_MAX;
    code = code << 4 | static_cast<uint32_t>(digit);
  }
  return code;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    switch (c) {
      case 't': out += '\t'; break;
      case 'n': out += '\n'; break;
      case 'r': out += '\r'; break;
      case 'f': out += '\f'; break;
      case 'u': {
        uint32_t code = code_unit(text, i + 1);
        if (code == UINT32_MAX)
          return invalid_argument("'\\u' needs four hexadecimal digits behind it; write a backslash as '\\\\'");
        i += 4;
        const bool high = code >= 0xd800 && code < 0xdc00;
        if (high && text.substr(i + 1).starts_with("\\u")) {
          const uint32_t low = code_unit(text, i + 3);
          if (low >= 0xdc00 && low < 0xe000) {
            code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            i += 6;
          }
        }
        append_utf8(out, code);
        break;
      }
      default: out += c;
    }
  }
  return out;
}

}  // namespace

Result<Properties> parse_properties(std::string_view text) {
  Properties out;
  while (!text.empty()) {
    const std::string line = next_line(text);
    if (line.empty()) continue;
    size_t end = 0;
    while (end < line.size() && !is_blank(line[end]) && line[end] != '=' && line[end] != ':')
      end += line[end] == '\\' && end + 1 < line.size() ? 2 : 1;
    size_t begin = end;
    while (begin < line.size() && is_blank(line[begin])) ++begin;
    if (begin < line.size() && (line[begin] == '=' || line[begin] == ':')) ++begin;
    while (begin < line.size() && is_blank(line[begin])) ++begin;
    MM_ASSIGN_OR_RETURN(std::string key, unescape(std::string_view(line).substr(0, end)));
    MM_ASSIGN_OR_RETURN(out[std::move(key)], unescape(std::string_view(line).substr(begin)));
  }
  return out;
}

std::string properties_text(const Properties& properties) {
  const auto append = [](std::string& out, std::string_view text) {
    for (const char c : text) {
      switch (c) {
        case '\n': out += "\\n"; break;
        case '\r': out += "\\r"; break;
        case '\t': out += "\\t"; break;
        case '\f': out += "\\f"; break;
        default:
          if (std::string_view("\\ =:#!").find(c) != std::string_view::npos) out += '\\';
          out += c;
      }
    }
  };
  std::string out;
  for (const auto& [key, value] : properties) {
    append(out, key);
    out += '=';
    append(out, value);
    out += '\n';
  }
  return out;
}

}  // namespace modelmill
