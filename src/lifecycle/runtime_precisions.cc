#include "lifecycle/runtime_precisions.h"

#include <algorithm>
#include <array>
#include <filesystem>

namespace modelmill {
namespace {

constexpr std::array<std::string_view, 3> kPrecisions = {"bf16", "fp16", "int8"};

std::string_view without_spaces(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

}  // namespace

Result<std::vector<std::string>> parse_precisions(std::string_view text) {
  std::vector<std::string> out;
  if (without_spaces(text).empty()) return out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string one(without_spaces(text.substr(begin, end - begin)));
    if (std::find(kPrecisions.begin(), kPrecisions.end(), one) == kPrecisions.end())
      return invalid_argument("'" + one + "' is no precision; there are bf16, fp16 and int8");
    if (std::find(out.begin(), out.end(), one) == out.end()) out.push_back(one);
    begin = end + 1;
  }
  return out;
}

std::string precision_file(const std::string& file, const std::string& precision) {
  std::filesystem::path path(file);
  return path.replace_extension("." + precision + path.extension().string()).string();
}

}  // namespace modelmill
