#include "route/sticky_choice.h"

#include <cmath>
#include <limits>

#include "base/stable_hash.h"

namespace modelmill {
namespace {

/// Above 0 and below 1.
double unit(uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }

}  // namespace

size_t choose_by_key(uint64_t key, std::span<const WeightedChoice> choices) {
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < choices.size(); ++i) {
    if (!(choices[i].weight > 0)) continue;
    const double draw = -std::log(unit(spread_bits(key ^ choices[i].seed))) / choices[i].weight;
    if (draw >= least) continue;
    least = draw;
    best = i;
  }
  return best;
}

size_t choose_by_chance(double place, std::span<const WeightedChoice> choices) {
  double sum = 0;
  for (const WeightedChoice& choice : choices) sum += choice.weight;
  double left = place * sum;
  size_t last = 0;
  for (size_t i = 0; i < choices.size(); ++i) {
    if (!(choices[i].weight > 0)) continue;
    last = i;
    if (left < choices[i].weight) return i;
    left -= choices[i].weight;
  }
  return last;
}

}  // namespace modelmill
