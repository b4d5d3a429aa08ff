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
/// to boosting*, 1997): a weight shrinks by exp(-rate * loss), losses being from 0 to 1. Then each gives a part of
/// itself to all alike, which is the fixed share of Herbster and Warmuth (*Tracking the best expert*, 1998), as large
/// as keeps every weight at the floor. `weights` sum to 1, before and after. `awake` are the places of those that have
/// a loss; what the others have together stays (Freund, Schapire, Singer and Warmuth, *Using and combining predictors
/// that specialize*, 1997), but for the share. Pure.
void hedge_round(std::span<double> weights, std::span<const size_t> awake, std::span<const double> losses,
                 const HedgeSettings& settings);

/// Lifts weights to the floor, by the same share; they sum to 1 after.
void share_weights(std::span<double> weights, double floor);

}  // namespace modelmill
