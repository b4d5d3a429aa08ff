#include "cli/suggestion.h"

#include <algorithm>
#include <numeric>

namespace modelmill {
namespace {

/// Letters to insert, delete or replace to make one word of the other.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace

std::string suggestion(std::string_view wrong, const std::vector<std::string>& known) {
  wrong = wrong.substr(0, std::min(wrong.find('='), size_t{64}));
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(wrong.size() / 3, 1) + 1;
  for (const std::string& word : known) {
    if (const size_t distance = edit_distance(wrong, word); distance < best_distance) {
      best = &word;
      best_distance = distance;
    }
  }
  return best ? "; did you mean '" + *best + "'?" : std::string();
}

}  // namespace modelmill
