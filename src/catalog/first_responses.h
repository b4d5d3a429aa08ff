#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/metrics.h"

namespace modelmill {

/// Counts the times until requests' first responses. Thread-safe, wait-free; threads seldom share counts.
class FirstResponses {
 public:
  /// Triton's bounds.
  static const std::vector<double>& usual_bounds_ms();

  /// The bounds ascend.
  explicit FirstResponses(std::vector<double> bounds_ms);

  const std::vector<double>& bounds_ms() const { return bounds_ms_; }
  void record(uint64_t ns);
  HistogramValue value() const;

 private:
  struct alignas(64) Part {
    std::vector<std::atomic<uint64_t>> counts;
    std::atomic<uint64_t> ns{0};
  };
  const std::vector<double> bounds_ms_;
  std::array<Part, 16> parts_;
};

}  // namespace modelmill
