#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace modelmill {

/// What a canary must keep to. Written "error_rate<=+0.5pp" (than the baseline's), "error_rate<=1%", "p99<=1.2x" (the
/// baseline's), "p99<=50ms", "disagreement<=2%" (of answers that both gave to the same requests), "memory<=1.5x",
/// "memory<=2GiB".
struct RolloutGate {
  enum class Kind {
    kErrorDifference,  // limit: a share that it may be above the baseline's
    kErrorLimit,       // a share
    kLatencyRatio,     // times the baseline's quantile
    kLatencyLimit,     // microseconds
    kDisagreement,     // a share of the answers
    kMemoryRatio,      // times the baseline's
    kMemoryLimit,      // bytes
  };
  Kind kind = Kind::kErrorDifference;
  double limit = 0;
  double quantile = 0;  // of latencies, in (0, 1)
  std::string text;

  /// It means nothing without a baseline.
  bool compares() const {
    return kind == Kind::kErrorDifference || kind == Kind::kLatencyRatio || kind == Kind::kDisagreement ||
           kind == Kind::kMemoryRatio;
  }
  /// Of the processes that run the version.
  bool is_of_memory() const { return kind == Kind::kMemoryRatio || kind == Kind::kMemoryLimit; }
  /// They are of the same quantity, in the same way, so one of them means nothing.
  bool is_like(const RolloutGate& other) const { return kind == other.kind && quantile == other.quantile; }
  bool operator==(const RolloutGate&) const = default;
};

/// INVALID_ARGUMENT says which forms there are.
Result<RolloutGate> parse_gate(std::string_view text);

}  // namespace modelmill
