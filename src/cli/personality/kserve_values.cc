#include "cli/personality/kserve_values.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace modelmill::personality {

Result<bool> read_python_bool(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  constexpr std::array<std::string_view, 6> kYes = {"y", "yes", "t", "true", "on", "1"};
  constexpr std::array<std::string_view, 6> kNo = {"n", "no", "f", "false", "off", "0"};
  if (std::find(kYes.begin(), kYes.end(), lower) != kYes.end()) return true;
  if (std::find(kNo.begin(), kNo.end(), lower) != kNo.end()) return false;
  return invalid_argument("invalid truth value: '" + text + "'; it is true or false");
}

Result<int64_t> read_python_integer(const std::string& text) {
  const auto number = read_long(text);
  if (!number.ok()) return invalid_argument("invalid int value: '" + text + "'");
  return *number;
}

}  // namespace modelmill::personality
