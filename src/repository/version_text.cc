#include "repository/version_text.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace modelmill {

bool is_all_digits(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
}

std::optional<int64_t> version_number(const std::string& name, bool leading_zeros) {
  if (!is_all_digits(name) || (name[0] == '0' && !leading_zeros)) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc() || end != name.data() + name.size() || number == 0) return std::nullopt;
  return number;
}

std::optional<int64_t> number_of_version_text(const std::string& text) {
  constexpr size_t kMostParts = 3;
  constexpr int64_t kPart = 1'000;
  constexpr int64_t kMostMajor = 1'000'000'000;
  std::vector<int64_t> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const auto number = part == "0" ? 0 : version_number(part);
    if (!number || parts.size() == kMostParts || *number > kMostMajor || (!parts.empty() && *number >= kPart))
      return std::nullopt;
    parts.push_back(*number);
    begin = end + 1;
  }
  const bool whole = std::all_of(parts.begin() + 1, parts.end(), [](int64_t part) { return part == 0; });
  if (whole) return parts[0] > 0 ? std::optional(parts[0]) : std::nullopt;
  parts.resize(kMostParts);
  return (parts[0] * kPart + parts[1]) * kPart + parts[2];
}

}  // namespace modelmill
