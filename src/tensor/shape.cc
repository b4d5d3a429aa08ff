#include "tensor/shape.h"

namespace modelmill {

std::optional<int64_t> element_count(std::span<const int64_t> shape) {
  int64_t count = 1;
  for (const int64_t d : shape) {
    if (d < 0 || __builtin_mul_overflow(count, d, &count)) return std::nullopt;
  }
  return count;
}

std::string shape_text(std::span<const int64_t> shape) {
  std::string out = "[";
  for (size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(shape[i]);
  }
  return out += ']';
}

bool shape_matches(std::span<const int64_t> pattern, std::span<const int64_t> actual) {
  if (pattern.size() != actual.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i)
    if (pattern[i] != -1 && pattern[i] != actual[i]) return false;
  return true;
}

}  // namespace modelmill
