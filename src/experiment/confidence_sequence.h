#pragma once

#include <cstdint>
#include <span>

#include "experiment/arm_totals.h"

namespace modelmill {

/// What is known of a difference of means; it may be looked at after every user.
struct DifferenceInterval {
  double difference = 0;
  double low = 0, high = 0;
  bool is_known = false;  // false: too few users to say anything
};

/// A confidence sequence for the mean of `arm` less that of `base`: the probability that it is ever wrong, at any of
/// all the times somebody looks, is at most alpha (in the limit of many users). It is the asymptotic confidence
/// sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic
/// confidence sequences", Annals of Statistics 2024, which inverts the mixture SPRT with a normal prior (Johari,
/// Koomen, Pekelis and Walsh, "Always valid inference: continuous monitoring of A/B tests", Operations Research 2022).
/// It is narrowest about where both arms have `planned` users together. Pure.
DifferenceInterval difference_interval(const ValueTotals& arm, const ValueTotals& base, double alpha, double planned);

/// The same for a metric of which each user has 0 or 1: nothing is known before both arms have seen some of either, as
/// the limit is not near then.
DifferenceInterval rate_interval(const ValueTotals& arm, const ValueTotals& base, double alpha, double planned);

/// The chance that the interval leaves 0 behind on the right side by the time there are `planned` users, half of them
/// in each arm, where the means are `difference` apart and one user's value has a variance: a Brownian motion with
/// drift and the interval's boundary, followed look by look (Armitage, McPherson and Rowe, "Repeated significance tests
/// on accumulating data", JRSS A 1969). Looks begin with `first` users. Pure; some milliseconds.
double power_of(double difference, double variance, double planned, double first, double alpha);

/// The evidence against users being given to arms in the route's shares, as the logarithm of an e-process: it exceeds
/// log(1/alpha) ever with a probability of at most alpha while they are (Lindon and Malek, "Anytime-valid inference for
/// multinomial count data", NeurIPS 2022; the mean of a wide Dirichlet prior and one close around the shares). `shares`
/// sum to 1. Pure.
double sample_ratio_evidence(std::span<const uint64_t> exposed, std::span<const double> shares);

}  // namespace modelmill
