#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/definition.h"

namespace modelmill {

class ExecutionClaim;

/// Where an instance runs.
struct InstancePlace {
  InstanceGroup::Kind kind = InstanceGroup::Kind::kCpu;
  int device = 0;
  std::vector<int> cores;  // that its lanes' threads run on; empty: any
  /// What its executions take first of the server's resources; null: nothing.
  std::shared_ptr<ExecutionClaim> claim = nullptr;
};

/// "cpu", "cpu on cores 0,1", "gpu 2".
std::string place_text(const InstancePlace& place);

/// How many instances a version may have; it scales itself when min and max differ, or it may go to none.
struct InstanceLimits {
  int min = 1;
  int max = 1;
  Duration zero_after{};  // idle for so long, it has none; 0: never
  bool fixed() const { return min == max && zero_after == Duration{}; }
};

/// Why a version's number of instances changed, in a word; what people are told says more.
enum class ScalingReason : uint8_t {
  kBusy,      // all were busy and requests waited
  kTrial,     // one more is tried for an objective
  kMeasured,  // another number was measured to be better for an objective
  kLate,      // answers came late on a trial
  kNoGain,    // one more brought nothing, or too little
  kEnough,    // one fewer is enough
  kRequest,   // there was none, and a request waits
  kIdle,      // nothing to do for the time after which the last one may go
  kLimits,    // there were fewer than the least, or more than the most, that is configured
  kClient,    // a client said so
  kUnload,    // there was none, and the last requests of a version that goes wait
  kReload,    // the version was loaded again with another number
};
inline constexpr int kScalingReasons = 12;
/// "busy", "trial", "measured", "late", "no gain", "enough", "request", "idle", "limits", "client", "unload", "reload".
const char* scaling_reason_name(ScalingReason reason);

/// An instance more is worth having for so many times the rows a second.
inline constexpr double kInstanceWorthHaving = 1.05;

/// What a version's instances have to do, and did.
struct InstanceLoad {
  int instances = 0;
  int busy = 0;          // executions that run
  int64_t pending = 0;   // requests that wait
  Duration busy_time{};  // of all executions that ended
  int64_t rows = 0;      // of them
};

}  // namespace modelmill
