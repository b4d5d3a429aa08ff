#include "learning/hedge.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace modelmill {

void lift_to_floor(std::span<double> weights, double floor) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<bool> low(weights.size(), false);
  size_t lows = 0;
  double rest = sum, scale = 1;  // of those above the floor: what they have, and what becomes of it
  // Who is at the floor leaves less to the others, of whom one more may come to be below it.
  for (bool changed = true; changed && rest > 0;) {
    changed = false;
    scale = (sum - static_cast<double>(lows) * floor) / rest;
    for (size_t i = 0; i < weights.size(); ++i) {
      if (low[i] || weights[i] * scale >= floor) continue;
      low[i] = changed = true;
      rest -= weights[i];
      if (++lows == weights.size()) rest = 0;
    }
  }
  // There is just enough for the floor of each, and nothing for more but by rounding.
  const bool all_equal = lows == weights.size();
  for (size_t i = 0; i < weights.size(); ++i) {
    if (all_equal)
      weights[i] = sum / static_cast<double>(lows);
    else
      weights[i] = low[i] ? floor : weights[i] * scale;
  }
}

void hedge_round(std::span<double> weights, std::span<const size_t> awake, std::span<const double> losses,
                 const HedgeSettings& settings) {
  if (awake.empty()) return;
  const double least = *std::min_element(losses.begin(), losses.end());
  std::vector<double> moved;
  double before = 0, after = 0;
  for (size_t i = 0; i < awake.size(); ++i) {
    before += weights[awake[i]];
    moved.push_back(weights[awake[i]] * std::exp(-settings.rate * (losses[i] - least)));
    after += moved.back();
  }
  if (!(after > 0)) return;  // they count for nothing, so there is nothing to move
  for (double& weight : moved) weight *= before / after;
  lift_to_floor(moved, std::max(settings.floor, kLeastWeight));
  for (size_t i = 0; i < awake.size(); ++i) weights[awake[i]] = moved[i];
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);  // 1, but for rounding
  for (double& weight : weights) weight /= sum;
}

}  // namespace modelmill
