#include "rollout/anytime_tests.h"

#include <math.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

namespace modelmill {
namespace {

/// A Beta distribution, and how much of the mixture it is.
struct Prior {
  double a, b, weight;
};

/// std::lgamma writes a global.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double log_beta(double a, double b) { return log_gamma(a) + log_gamma(b) - log_gamma(a + b); }

/// The likelihood of `hits` of `trials`, mixed over the priors.
double log_mixture(double trials, double hits, std::initializer_list<Prior> priors) {
  double largest = -std::numeric_limits<double>::infinity(), sum = 0;
  for (const Prior& prior : priors) {
    const double log_likelihood =
        std::log(prior.weight) + log_beta(prior.a + hits, prior.b + trials - hits) - log_beta(prior.a, prior.b);
    if (log_likelihood > largest) {
      sum = sum * std::exp(largest - log_likelihood) + 1;
      largest = log_likelihood;
    } else {
      sum += std::exp(log_likelihood - largest);
    }
  }
  return largest + std::log(sum);
}

double log_likelihood(const Tally& tally, double share) {
  const auto hits = static_cast<double>(tally.hits), misses = static_cast<double>(tally.trials - tally.hits);
  double sum = 0;
  if (hits > 0) sum += hits * std::log(share);
  if (misses > 0) sum += misses * std::log1p(-share);
  return sum;
}

/// Of errors, which are few, or else anything.
double log_mixture(const Tally& tally) {
  return log_mixture(static_cast<double>(tally.trials), static_cast<double>(tally.hits),
                     {{1, 30, 0.5}, {1, 300, 0.3}, {1, 1, 0.2}});
}

double share_of(const Tally& tally) {
  return tally.trials == 0 ? 0 : static_cast<double>(tally.hits) / static_cast<double>(tally.trials);
}

/// Its slope in `share`, up to a factor that is the same for both arms.
double slope(const Tally& tally, double share) {
  return static_cast<double>(tally.hits) / share - static_cast<double>(tally.trials - tally.hits) / (1 - share);
}

/// The largest likelihood of both where the canary's share is the baseline's plus `margin`.
double log_likelihood_at(const Tally& canary, const Tally& baseline, double margin) {
  constexpr double kEdge = 1e-12;
  double low = std::max(0.0, -margin) + kEdge, high = std::min(1.0, 1 - margin) - kEdge;
  if (low >= high) return -std::numeric_limits<double>::infinity();
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (slope(baseline, middle) + slope(canary, middle + margin) > 0 ? low : high) = middle;
  }
  return log_likelihood(baseline, low) + log_likelihood(canary, low + margin);
}

/// `hypothesis`: the best likelihood that it allows when it does not allow the best of all.
double evidence(const Tally& canary, const Tally& baseline, double hypothesis) {
  return log_mixture(canary) + log_mixture(baseline) - hypothesis;
}

/// The evidence that a value is not the quantile above which a share `s` of durations is: `above` of `trials` are above
/// it. Least near s * trials, and convex around that.
double log_coin(double trials, double above, double s) {
  const double tail = (1 - s) / s;
  const double mixed = log_mixture(trials, above, {{1, tail, 0.45}, {30, 30 * tail, 0.45}, {1, 1, 0.1}});
  return mixed - above * std::log(s) - (trials - above) * std::log1p(-s);
}

/// How many are in buckets after each.
class Tail {
 public:
  explicit Tail(const LatencyCounts& counts) : above_(counts.size()) {
    uint64_t sum = 0;
    for (size_t bucket = counts.size(); bucket-- > 0; sum += counts[bucket]) above_[bucket] = sum;
    total_ = sum;
  }
  double total() const { return static_cast<double>(total_); }
  /// Above the end of a bucket; -1 is the begin of the first.
  double above(int64_t bucket) const {
    if (bucket < 0) return total();
    return static_cast<size_t>(bucket) < above_.size() ? static_cast<double>(above_[static_cast<size_t>(bucket)]) : 0;
  }

 private:
  std::vector<uint64_t> above_;
  uint64_t total_ = 0;
};

int64_t scaled_bucket(uint64_t ns, double ratio) {
  return static_cast<int64_t>(latency_bucket(static_cast<uint64_t>(static_cast<double>(ns) * ratio)));
}

}  // namespace

double evidence_share_is_above(const Tally& canary, const Tally& baseline, double margin) {
  if (canary.trials == 0 || baseline.trials == 0 || share_of(canary) - share_of(baseline) <= margin) return 0;
  return evidence(canary, baseline, log_likelihood_at(canary, baseline, margin));
}

double evidence_share_is_below(const Tally& canary, const Tally& baseline, double margin) {
  if (canary.trials == 0 || baseline.trials == 0 || share_of(canary) - share_of(baseline) >= margin) return 0;
  return evidence(canary, baseline, log_likelihood_at(canary, baseline, margin));
}

double evidence_share_is_above(const Tally& canary, double limit) {
  if (canary.trials == 0 || share_of(canary) <= limit) return 0;
  return log_mixture(canary) - log_likelihood(canary, limit);
}

double evidence_share_is_below(const Tally& canary, double limit) {
  if (canary.trials == 0 || share_of(canary) >= limit) return 0;
  return log_mixture(canary) - log_likelihood(canary, limit);
}

/// The hypothesis allows any quantile of the baseline together with a canary's of at most `ratio` times as much: the
/// evidence is the least over these pairs. From the baseline's own quantile upward what speaks against that grows, and
/// what speaks against the canary's falls, until the canary's own quantile is allowed.
double evidence_quantile_is_above(const LatencyCounts& canary, const LatencyCounts& baseline, double p, double ratio) {
  const Tail of_canary(canary), of_baseline(baseline);
  const double s = 1 - p, n = of_canary.total(), m = of_baseline.total();
  if (n == 0 || m == 0) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (auto bucket = static_cast<int64_t>(quantile_bucket(baseline, p));; ++bucket) {
    // Of quantiles inside a bucket the one that the counts speak least against.
    const double baseline_above = std::min(of_baseline.above(bucket - 1), s * m);
    const double canary_above =
        of_canary.above(scaled_bucket(latency_bucket_end_ns(static_cast<size_t>(bucket)), ratio));
    if (canary_above <= s * n) least = std::min(least, log_coin(m, baseline_above, s) + log_coin(n, s * n, s));
    if (canary_above <= s * n || static_cast<size_t>(bucket) + 1 >= kLatencyHistogramBuckets)
      return std::max(0.0, least);
    least = std::min(least, log_coin(m, baseline_above, s) + log_coin(n, canary_above, s));
  }
}

/// The same the other way round: down from the baseline's own quantile.
double evidence_quantile_is_below(const LatencyCounts& canary, const LatencyCounts& baseline, double p, double ratio) {
  const Tail of_canary(canary), of_baseline(baseline);
  const double s = 1 - p, n = of_canary.total(), m = of_baseline.total();
  if (n == 0 || m == 0) return 0;
  double least = std::numeric_limits<double>::infinity();
  for (auto bucket = static_cast<int64_t>(quantile_bucket(baseline, p));; --bucket) {
    const double baseline_above = std::max(of_baseline.above(bucket), s * m);
    const uint64_t begin = bucket == 0 ? 0 : latency_bucket_end_ns(static_cast<size_t>(bucket - 1));
    const double canary_above = of_canary.above(scaled_bucket(begin, ratio) - 1);
    if (canary_above >= s * n) least = std::min(least, log_coin(m, baseline_above, s) + log_coin(n, s * n, s));
    if (canary_above >= s * n || bucket == 0) return std::max(0.0, least);
    least = std::min(least, log_coin(m, baseline_above, s) + log_coin(n, canary_above, s));
  }
}

double evidence_quantile_is_above(const LatencyCounts& canary, double p, double limit_us) {
  const Tail tail(canary);
  const double above = tail.above(scaled_bucket(1'000, limit_us));
  return tail.total() == 0 || above <= (1 - p) * tail.total() ? 0 : log_coin(tail.total(), above, 1 - p);
}

double evidence_quantile_is_below(const LatencyCounts& canary, double p, double limit_us) {
  const Tail tail(canary);
  const double above = tail.above(scaled_bucket(1'000, limit_us) - 1);
  return tail.total() == 0 || above >= (1 - p) * tail.total() ? 0 : log_coin(tail.total(), above, 1 - p);
}

}  // namespace modelmill
