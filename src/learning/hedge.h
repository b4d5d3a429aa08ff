#pragma once

#include <cstddef>
#include <span>

namespace modelmill {

struct HedgeSettings {
  double rate = 0.1;
  double floor = 0;  // the least of a weight, below 1 / members
};

/// Never is a weight less, so that nothing is lost of members that nobody gives a floor.
inline constexpr double kLeastWeight = 1e-12;

/// One round of Hedge (Freund and Schapire, *A decision-theoretic generalization of on-line learning and an application
/// to boosting*, 1997): a weight shrinks by exp(-rate * loss), losses being from 0 to 1. Weights below the floor are
/// then lifted to it. `weights` sum to 1, before and after. `awake` are the places of those that have a loss; the
/// others stay as they are (Freund, Schapire, Singer and Warmuth, *Using and combining predictors that specialize*,
/// 1997). Pure.
void hedge_round(std::span<double> weights, std::span<const size_t> awake, std::span<const double> losses,
                 const HedgeSettings& settings);

/// The weights of at least the floor that are next to these by relative entropy, with the same sum: who is below it is
/// lifted to it, and the others keep their ratios. So weights follow when another member becomes the best, and nothing
/// is forgotten of those above the floor (Herbster and Warmuth, *Tracking the best linear predictor*, 2001).
void lift_to_floor(std::span<double> weights, double floor);

}  // namespace modelmill
