#include "base/duration_text.h"

#include <charconv>
#include <cmath>
#include <string>

namespace modelmill {

Result<std::chrono::microseconds> parse_duration(std::string_view text) {
  constexpr double kHourUs = 3600e6;
  const auto wrong = [text] {
    return invalid_argument(
        "'" + std::string(text) +
        "' is not a time: give a number with its unit, such as 500us, 20ms or 1.5s, of at most an hour");
  };
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return wrong();
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const double scale = unit == "us" ? 1 : unit == "ms" ? 1e3 : unit == "s" ? 1e6 : 0;
  const double us = std::round(number * scale);
  if (!(us >= 1 && us <= kHourUs)) return wrong();
  return std::chrono::microseconds(static_cast<int64_t>(us));
}

}  // namespace modelmill
