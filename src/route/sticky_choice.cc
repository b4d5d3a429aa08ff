#include "route/sticky_choice.h"

#include <cmath>
#include <limits>

namespace modelmill {
namespace {

constexpr uint64_t kFnvBasis = 14695981039346656037ULL;
constexpr uint64_t kFnvPrime = 1099511628211ULL;

/// Spreads every bit over all others: the finaliser of SplitMix64 (Steele, Lea and Flood, 2014).
uint64_t spread(uint64_t x) {
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31);
}

/// FNV-1a (Fowler, Noll and Vo).
uint64_t fnv(uint64_t state, std::string_view text) {
  for (const char c : text) state = (state ^ static_cast<unsigned char>(c)) * kFnvPrime;
  return state;
}

/// Above 0 and below 1.
double unit(uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; }

}  // namespace

uint64_t stable_hash(std::string_view text) { return spread(fnv(kFnvBasis, text)); }
uint64_t stable_hash(uint64_t salt, std::string_view text) { return spread(fnv(kFnvBasis ^ salt, text)); }

size_t choose_by_key(uint64_t key, std::span<const WeightedChoice> choices) {
  size_t best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i < choices.size(); ++i) {
    if (!(choices[i].weight > 0)) continue;
    const double draw = -std::log(unit(spread(key ^ choices[i].seed))) / choices[i].weight;
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
