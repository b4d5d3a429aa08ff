#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace modelmill {

using TextRow = std::vector<std::string>;

/// Rows as aligned lines: the first `left` columns and the last one to the left, those between to the right. Lines are
/// cut off at `width` characters unless it is zero. All rows are as long as the first.
std::string text_table(const std::vector<TextRow>& rows, size_t left, size_t width);

/// The text up to so many characters, or all of it with zero. Models' names may be anything, so what would move the
/// cursor is replaced.
std::string clipped(const std::string& text, size_t width);

}  // namespace modelmill
