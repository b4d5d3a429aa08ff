#include "learning/hedge.h"

#include <algorithm>
#include <cmath>

namespace modelmill {

void share_weights(std::span<double> weights, double floor) {
  const auto count = static_cast<double>(weights.size());
  double sum = 0;
  for (double& weight : weights) {
    weight = std::max((1 - count * floor) * weight + floor, kLeastWeight);
    sum += weight;
  }
  for (double& weight : weights) weight /= sum;
}

void hedge_round(std::span<double> weights, std::span<const size_t> awake, std::span<const double> losses,
                 const HedgeSettings& settings) {
  if (awake.empty()) return;
  const double least = *std::min_element(losses.begin(), losses.end());
  double before = 0, after = 0;
  for (size_t i = 0; i < awake.size(); ++i) {
    double& weight = weights[awake[i]];
    before += weight;
    weight *= std::exp(-settings.rate * (losses[i] - least));
    after += weight;
  }
  for (const size_t member : awake) weights[member] *= before / after;
  share_weights(weights, settings.floor);
}

}  // namespace modelmill
