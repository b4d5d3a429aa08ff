#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace modelmill {

/// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other.
size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that a person who wrote `word` most likely meant: close enough in spelling, and closest of all. Empty
/// when none is.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace modelmill
