#include "base/size_text.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace modelmill {

std::string bytes_text(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < kUnits.size()) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

Result<uint64_t> parse_bytes(std::string_view text) {
  constexpr double kMost = 9.2e18;
  constexpr std::string_view kLetters = "kmgt";
  const auto wrong = [text] {
    return invalid_argument("'" + std::string(text) +
                            "' is not a size: give a number of bytes, or one with its unit, such as 512MiB or 8GiB");
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc()) return wrong();
  std::string unit;
  for (const char* at = end; at != text.data() + text.size(); ++at)
    if (*at != ' ') unit += static_cast<char>(std::tolower(static_cast<unsigned char>(*at)));
  double scale = 1;
  if (!unit.empty() && unit != "b") {
    const size_t power = kLetters.find(unit[0]);
    const std::string rest = unit.substr(1);
    if (power == std::string_view::npos || !(rest.empty() || rest == "b" || rest == "ib")) return wrong();
    scale = std::pow(1024.0, static_cast<double>(power + 1));
  }
  const double bytes = std::round(number * scale);
  if (!(bytes >= 0 && bytes <= kMost)) return wrong();
  return static_cast<uint64_t>(bytes);
}

}  // namespace modelmill
