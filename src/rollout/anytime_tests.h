#pragma once

#include <cstdint>

#include "runtime/latency_histogram.h"

namespace modelmill {

/// How often something happened.
struct Tally {
  uint64_t trials = 0;
  uint64_t hits = 0;
};

/// Tests that may be looked at after every request, for ever: each returns the logarithm of an e-process against a
/// hypothesis, which exceeds log(1/alpha) at any time at all with a probability of at most alpha where the hypothesis
/// holds (Ville's inequality). So an error of 5% is `evidence > log(20)`, however often one looks.
///
/// Of shares: the likelihood of what was counted, mixed over what the shares may be (Robbins, "Statistical methods
/// related to the law of the iterated logarithm", 1970: the mixture SPRT), over the largest one that the hypothesis
/// allows (Wasserman, Ramdas and Balakrishnan, "Universal inference", PNAS 2020). Of quantiles: whether a duration is
/// above its own quantile is a coin of a known bias, so the same mixture over that coin tells which values the quantile
/// can't have (Howard and Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
/// identification", Bernoulli 2022). All pure.

/// Against: the canary's share of hits is above the baseline's by no more than `margin`.
double evidence_share_is_above(const Tally& canary, const Tally& baseline, double margin);
/// Against: it is above it by `margin` or more.
double evidence_share_is_below(const Tally& canary, const Tally& baseline, double margin);
/// Against: the share is no more than `limit`, and no less.
double evidence_share_is_above(const Tally& canary, double limit);
double evidence_share_is_below(const Tally& canary, double limit);

/// Against: the canary's p-quantile is no more than `ratio` times the baseline's.
double evidence_quantile_is_above(const LatencyCounts& canary, const LatencyCounts& baseline, double p, double ratio);
/// Against: it is no less than that.
double evidence_quantile_is_below(const LatencyCounts& canary, const LatencyCounts& baseline, double p, double ratio);
/// Against: the p-quantile is no more than `limit_us`, and no less.
double evidence_quantile_is_above(const LatencyCounts& canary, double p, double limit_us);
double evidence_quantile_is_below(const LatencyCounts& canary, double p, double limit_us);

}  // namespace modelmill
