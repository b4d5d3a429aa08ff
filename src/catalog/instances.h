#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/definition.h"

namespace modelmill {

/// Where an instance runs.
struct InstancePlace {
  InstanceGroup::Kind kind = InstanceGroup::Kind::kCpu;
  int device = 0;
  std::vector<int> cores;  // that its lanes' threads run on; empty: any
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

/// What a version's instances have to do, and did.
struct InstanceLoad {
  int instances = 0;
  int busy = 0;          // executions that run
  int64_t pending = 0;   // requests that wait
  Duration busy_time{};  // of all executions that ended
  int64_t rows = 0;      // of them
};

}  // namespace modelmill
