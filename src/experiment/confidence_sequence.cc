#include "experiment/confidence_sequence.h"

#include <math.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

namespace modelmill {
namespace {

/// Of a rate: so many users with 1 and with 0, in both arms together, before it is spoken of.
constexpr double kFewestOfEither = 20;

/// How the boundary is tuned to be narrowest at `planned` users: the product of users and the prior's variance over a
/// value's there.
double tuned(double alpha) {
  const double a = alpha * alpha, l = -2 * std::log(alpha);
  return -a + l + std::log(l + 1 - a);
}

/// Half an interval over the standard error, where users times the prior's variance ratio is `r`.
double width_factor(double r, double alpha) { return std::sqrt(2 * (r + 1) / r * std::log(std::sqrt(r + 1) / alpha)); }

/// std::lgamma writes a global.
double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

double log_dirichlet_evidence(std::span<const uint64_t> exposed, std::span<const double> shares, double weight) {
  double total = 0, log_mixed = log_gamma(weight);
  for (size_t i = 0; i < exposed.size(); ++i) {
    const auto n = static_cast<double>(exposed[i]);
    total += n;
    log_mixed += log_gamma(weight * shares[i] + n) - log_gamma(weight * shares[i]) - n * std::log(shares[i]);
  }
  return log_mixed - log_gamma(weight + total);
}

/// What of a Brownian motion with drift has not crossed the boundary yet, as a density on a grid.
class Survivors {
 public:
  Survivors(double edge, double drift, double step_time)
      : cell_(2 * edge / static_cast<double>(kCells)),
        edge_(edge),
        density_(kCells, 0.0),
        next_(kCells, 0.0),
        kernel_(2 * kCells - 1) {
    const double deviation = std::sqrt(step_time);
    for (size_t i = 0; i < kernel_.size(); ++i) {
      const double off = (static_cast<double>(i) - static_cast<double>(kCells - 1)) * cell_ - drift * step_time;
      kernel_[i] = cell_ / deviation * normal_density(off / deviation);
    }
  }

  void start(double mean, double deviation) {
    for (size_t i = 0; i < kCells; ++i) density_[i] = cell_ / deviation * normal_density((place(i) - mean) / deviation);
  }
  /// Those outside of the bound are gone; `crossed` gets what left above it.
  void cut(double bound, double& crossed) {
    for (size_t i = 0; i < kCells; ++i) {
      if (std::abs(place(i)) < bound) continue;
      if (place(i) > 0) crossed += density_[i];
      density_[i] = 0;
    }
  }
  void step() {
    std::fill(next_.begin(), next_.end(), 0.0);
    for (size_t from = 0; from < kCells; ++from) {
      if (density_[from] < 1e-12) continue;
      const double* const row = &kernel_[kCells - 1 - from];
      for (size_t to = 0; to < kCells; ++to) next_[to] += density_[from] * row[to];
    }
    density_.swap(next_);
  }

 private:
  static constexpr size_t kCells = 400;

  static double normal_density(double z) { return std::exp(-z * z / 2) / std::sqrt(2 * std::numbers::pi); }
  double place(size_t cell) const { return (static_cast<double>(cell) + 0.5) * cell_ - edge_; }

  const double cell_, edge_;
  std::vector<double> density_, next_, kernel_;
};

}  // namespace

DifferenceInterval difference_interval(const ValueTotals& arm, const ValueTotals& base, double alpha, double planned) {
  DifferenceInterval out;
  out.difference = arm.mean - base.mean;
  if (arm.users < 2 || base.users < 2) return out;
  const auto n = static_cast<double>(arm.users), m = static_cast<double>(base.users);
  const double variance = arm.variance() / n + base.variance() / m;
  if (!(variance > 0)) return out;
  const double half = std::sqrt(variance) * width_factor(tuned(alpha) * (n + m) / planned, alpha);
  out.low = out.difference - half;
  out.high = out.difference + half;
  out.is_known = true;
  return out;
}

DifferenceInterval rate_interval(const ValueTotals& arm, const ValueTotals& base, double alpha, double planned) {
  DifferenceInterval out = difference_interval(arm, base, alpha, planned);
  const auto n = static_cast<double>(arm.users), m = static_cast<double>(base.users);
  const double ones = arm.mean * n + base.mean * m;
  out.is_known = out.is_known && std::min(ones, n + m - ones) >= kFewestOfEither;
  return out;
}

double power_of(double difference, double variance, double planned, double first, double alpha) {
  if (!(variance > 0) || !(planned > 0) || difference == 0) return 0;
  constexpr int kLooks = 200;
  // Time is the share of the planned users; the motion's deviation at its end is 1.
  const double drift = std::abs(difference) / std::sqrt(4 * variance / planned);
  const double begin = std::clamp(first / planned, 0.01, 1.0), r = tuned(alpha);
  const auto bound = [&](double time) { return std::sqrt(time) * width_factor(r * time, alpha); };
  constexpr double kCertain = 50;
  if (drift > kCertain) return 1;
  // The bound grows with time.
  Survivors survivors(bound(1) + 5 + drift * begin, drift, std::max((1 - begin) / kLooks, 1e-9));
  survivors.start(drift * begin, std::sqrt(begin));
  double crossed = 0;
  survivors.cut(bound(begin), crossed);
  for (int look = 1; look <= kLooks && begin < 1; ++look) {
    survivors.step();
    survivors.cut(bound(begin + (1 - begin) * look / kLooks), crossed);
  }
  return std::min(crossed, 1.0);
}

double sample_ratio_evidence(std::span<const uint64_t> exposed, std::span<const double> shares) {
  constexpr double kWide = 20, kClose = 10'000;
  const double wide = log_dirichlet_evidence(exposed, shares, kWide);
  const double close = log_dirichlet_evidence(exposed, shares, kClose);
  const double largest = std::max(wide, close);
  return largest + std::log((std::exp(wide - largest) + std::exp(close - largest)) / 2);
}

}  // namespace modelmill
