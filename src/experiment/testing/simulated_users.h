#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "base/stable_hash.h"

namespace modelmill {

/// Random numbers that are the same everywhere: what a simulation finds is found again.
class SimulatedUsers {
 public:
  explicit SimulatedUsers(uint64_t seed) : state_(spread_bits(seed)) {}

  /// In (0, 1).
  double uniform() {
    state_ += 0x9E3779B97F4A7C15ULL;
    return (static_cast<double>(spread_bits(state_) >> 11) + 0.5) * 0x1p-53;
  }
  double binary(double rate) { return uniform() < rate ? 1 : 0; }
  double normal(double mean, double deviation) {
    const double radius = std::sqrt(-2 * std::log(uniform()));
    return mean + deviation * radius * std::cos(2 * std::numbers::pi * uniform());
  }
  /// Skewed as revenues are: its deviation is its mean.
  double exponential(double mean) { return -mean * std::log(uniform()); }

 private:
  uint64_t state_;
};

}  // namespace modelmill
