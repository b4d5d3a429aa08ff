#include "cli/text_table.h"

#include <algorithm>

namespace modelmill {
namespace {

/// Of a character of UTF-8, not its second byte or a later one.
bool begins_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t width_of(const std::string& text) { return std::count_if(text.begin(), text.end(), begins_character); }

}  // namespace

std::string clipped(const std::string& text, size_t width) {
  std::string out;
  size_t taken = 0;
  for (const char c : text) {
    if (begins_character(c) && taken++ == width && width > 0) break;
    const auto byte = static_cast<unsigned char>(c);
    out += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
  return out;
}

std::string text_table(const std::vector<TextRow>& rows, size_t left, size_t width) {
  std::vector<size_t> widths(rows.empty() ? 0 : rows.front().size());
  for (const TextRow& row : rows)
    for (size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  std::string out;
  for (const TextRow& row : rows) {
    std::string line;
    for (size_t i = 0; i < widths.size(); ++i) {
      const bool last = i + 1 == widths.size();
      const std::string space(widths[i] - width_of(row[i]), ' ');
      line += last ? row[i] : i < left ? row[i] + space + "  " : space + row[i] + "  ";
    }
    out += clipped(line, width) + "\n";
  }
  return out;
}

}  // namespace modelmill
