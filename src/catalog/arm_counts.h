#pragma once

#include <cstdint>
#include <map>

#include "runtime/latency_histogram.h"

namespace modelmill {

/// What has been counted of one arm of a route, since some moment.
struct ArmCounts {
  /// Answered requests. Those that the client gave up are not among them: they say nothing of the arm.
  uint64_t requests = 0;
  uint64_t errors = 0;  // of them; any answer but OK
  /// Of good answers, from the arm being asked to its last answer.
  LatencyCounts latency;
  /// Of executions of the version behind it: their computing by rows, these rounded up to a power of two.
  std::map<int64_t, LatencyCounts> compute;
  /// Of the processes that run that version: ProcessHealth::failures, and the most memory that was seen.
  uint64_t crashes = 0, memory_bytes = 0;

  bool operator==(const ArmCounts&) const = default;
};

/// `now` less what had been counted `before`; what has begun anew since counts from there. Of crashes, which are summed
/// over processes that may leave, fewer than before are no new ones.
ArmCounts counted_since(const ArmCounts& now, const ArmCounts& before);
void add_to(ArmCounts& into, const ArmCounts& more);

}  // namespace modelmill
