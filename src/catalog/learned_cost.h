#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "model/definition.h"

namespace modelmill {

/// What executions of about so many rows took.
struct CostPoint {
  double rows = 1;  // their mean
  Duration mean{};
  Duration p99{};
  int64_t executions = 0;
};

/// The time of an execution as a function of its rows, on one kind of instance, for inputs of one shape class.
struct LearnedCost {
  InstanceGroup::Kind kind = InstanceGroup::Kind::kCpu;
  uint64_t shape_class = 0;
  std::string shapes;             // for people; empty where all inputs have one shape
  std::vector<CostPoint> points;  // by rows, ascending
};

/// That all were learned from.
inline int64_t executions_of(const std::vector<LearnedCost>& costs) {
  int64_t executions = 0;
  for (const LearnedCost& cost : costs)
    for (const CostPoint& point : cost.points) executions += point.executions;
  return executions;
}

}  // namespace modelmill
