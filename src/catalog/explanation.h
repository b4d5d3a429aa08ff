#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/instances.h"
#include "catalog/learned_cost.h"

namespace modelmill {

/// What was learned of one kind of instance and one shape class, and what follows.
struct ExplainedCost {
  LearnedCost cost;
  int64_t worth = 1;      // the fewest rows together that give nearly the best rate
  int64_t limit = 1;      // of the next batch
  bool explored = false;  // no larger batch has to be tried
  double rate = 0;        // rows a second of one instance at `worth`
  double gain = 1;        // that, over the rate of one row at a time
};

/// Why a version runs as it does: what it was told, what was learned, what limits it.
struct Explanation {
  std::string policy;  // "work-conserving", "delay window", "allowed sizes", "objective" or "unbatched"
  int64_t max_rows = 1;
  Duration objective{};
  int instances = 0;
  int busy = 0;                     // of them
  std::vector<std::string> places;  // of each: "cpu", "cpu on cores 0,1", "gpu 2"
  InstanceLimits limits;
  std::string last_change;  // why their number changed; empty: it did not
  int64_t pending = 0;
  std::string on_loop;  // "never", "warming", "allowed" or "suspended"
  std::vector<ExplainedCost> costs;
};

/// What was learned, in a line: "batching pays 13x; about 40k rows/s on 2 instances". Empty when nothing was.
std::string learned_line(const Explanation& explanation);

/// What limits the version and what could be changed, as sentences for people.
std::vector<std::string> advice(const Explanation& explanation, const ModelDefinition& definition);

}  // namespace modelmill
