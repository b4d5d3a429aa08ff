#pragma once

#include <cstdint>

#include "base/clock.h"

namespace modelmill {

/// What a version's instances have to do, and did.
struct InstanceLoad {
  int instances = 0;
  int busy = 0;          // executions that run
  int64_t pending = 0;   // requests that wait
  Duration busy_time{};  // of all executions that ended
  int64_t rows = 0;      // of them
};

}  // namespace modelmill
