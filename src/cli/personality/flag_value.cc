#include "cli/personality/flag_value.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace modelmill::personality {
namespace {

template <typename T>
Result<T> read(const std::string& text) {
  T value{};
  const char* const begin = text.data() + (text.starts_with('+') ? 1 : 0);
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(begin, end, value);
  if (error == std::errc::result_out_of_range)
    return invalid_argument("Provided option value is out of bound. Got " + text);
  if (error != std::errc() || rest != end) return invalid_argument("Invalid option value. Got " + text);
  return value;
}

}  // namespace

Result<bool> read_bool(const std::string& text) {
  std::string lower = text;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  if (lower == "true" || lower == "on" || lower == "1") return true;
  if (lower == "false" || lower == "off" || lower == "0") return false;
  return invalid_argument("invalid value for bool option: " + text);
}

Result<int> read_integer(const std::string& text) { return read<int>(text); }
Result<int64_t> read_long(const std::string& text) { return read<int64_t>(text); }
Result<double> read_number(const std::string& text) { return read<double>(text); }

}  // namespace modelmill::personality
