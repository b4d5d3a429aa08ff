#include "cli/number_text.h"

#include <cstdio>

namespace modelmill {

std::string number_text(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

std::string count_text(double value) {
  std::string digits = number_text("%.0f", value);
  for (auto at = static_cast<ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) digits.insert(at, ",");
  return digits;
}

std::string rate_text(double value) {
  return value > 0 && value < 9.95 ? number_text("%.1f", value) : count_text(value);
}

std::string time_text(const std::optional<double>& us) {
  if (!us) return "-";
  if (*us < 1e3) return number_text("%.0f us", *us);
  if (*us < 1e5) return number_text("%.1f ms", *us / 1e3);
  if (*us < 1e6) return number_text("%.0f ms", *us / 1e3);
  return number_text("%.1f s", *us / 1e6);
}

std::string counted(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

}  // namespace modelmill
