#pragma once

#include <cstdint>

namespace modelmill {

/// Why a batch was cut when it was.
enum class CutReason : uint8_t {
  kFull,          // it cannot have more rows
  kIdleInstance,  // nothing else waits
  kDelayOver,
  kDeadline,   // a request in it could not wait for more
  kNoGain,     // more rows together would not be faster
  kObjective,  // more rows would endanger the latency objective
};
inline constexpr int kCutReasons = 6;
/// "full", "idle instance", "delay over", "deadline", "no gain", "objective".
const char* cut_reason_name(CutReason reason);

/// The batch that a request ran in.
struct BatchCut {
  int32_t rows = 0;  // with those that filled it up; 0: it never ran in one
  CutReason reason = CutReason::kIdleInstance;
};

}  // namespace modelmill
