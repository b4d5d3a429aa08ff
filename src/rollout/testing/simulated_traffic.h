#pragma once

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "rollout/rollout_decision.h"

namespace modelmill {

/// An arm of which the truth is known: a share of errors, and latencies of a log-normal distribution.
struct SimulatedArm {
  double error_rate = 0.01;
  double median_us = 10'000;
  double sigma = 0.3;  // of the latency's logarithm
};

/// Draws what arms count. Of latencies only those near the 99th percentile are told from each other: all below
/// the 97.5th are one bucket, all above the 99.95th another.
class SimulatedTraffic {
 public:
  explicit SimulatedTraffic(uint64_t seed) : random_(seed) {}

  void serve(const SimulatedArm& arm, uint64_t requests, ArmCounts& into) {
    const uint64_t errors = drawn(requests, arm.error_rate);
    into.requests += requests;
    into.errors += errors;
    uint64_t left = requests - errors;
    double below = 0;
    const size_t first = bucket_at(arm, 1.96), last = bucket_at(arm, 3.29);
    if (into.latency.size() <= last) into.latency.resize(last + 1);
    for (size_t bucket = first; bucket < last && left > 0; ++bucket) {
      const double until = share_below(arm, bucket);
      const uint64_t here = drawn(left, (until - below) / (1 - below));
      into.latency[bucket] += here;
      left -= here;
      below = until;
    }
    into.latency[last] += left;
  }

  /// Answers of both sides to the same requests.
  void compare(double disagreement, uint64_t pairs, CopyCounts& into) {
    into.compared += pairs;
    into.disagreed += drawn(pairs, disagreement);
  }

 private:
  uint64_t drawn(uint64_t of, double share) {
    return std::binomial_distribution<uint64_t>(of, std::min(1.0, share))(random_);
  }
  static size_t bucket_at(const SimulatedArm& arm, double deviations) {
    return latency_bucket(static_cast<uint64_t>(1e3 * arm.median_us * std::exp(arm.sigma * deviations)));
  }
  static double share_below(const SimulatedArm& arm, size_t bucket) {
    const double us = static_cast<double>(latency_bucket_end_ns(bucket)) / 1e3;
    return 0.5 * std::erfc(-std::log(us / arm.median_us) / arm.sigma / std::sqrt(2.0));
  }

  std::mt19937_64 random_;
};

}  // namespace modelmill
