#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "catalog/instance_plan.h"
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

/// A GPU of which a version holds memory, in bytes.
struct DeviceUse {
  int gpu = 0;
  uint64_t bytes = 0;   // of this version
  uint64_t held = 0;    // of all models
  uint64_t budget = 0;  // that they may take together; 0: no bound
};

/// Why a version runs as it does: what it was told, what was learned, what limits it.
struct Explanation {
  std::string policy;  // "work-conserving", "delay window", "allowed sizes", "objective", "unbatched" or "ensemble"
  int64_t max_rows = 1;
  Duration objective{};
  struct Gathering {
    int64_t in_flight = 0;  // the most rows that waited or ran at a time lately
    uint64_t batches = 0;   // that waited a moment for more
    uint64_t in_vain = 0;   // of them: not all came that were expected
  };
  std::optional<Gathering> gathering;  // where batches may wait for what is about to come
  int instances = 0;
  int busy = 0;                     // of them
  std::vector<std::string> places;  // of each: "cpu", "cpu on cores 0,1", "gpu 2"
  InstanceLimits limits;
  std::string last_change;                 // why their number changed; empty: it did not
  std::optional<InstanceOutlook> outlook;  // where an objective chooses it
  std::string held_back;                   // why there is not another one; empty: nothing stands in the way
  std::vector<DeviceUse> devices;
  int64_t pending = 0;
  bool cached = false;  // answers are kept
  std::string on_loop;  // "never", "warming", "allowed" or "suspended"
  std::vector<ExplainedCost> costs;
  std::vector<std::string> steps;                       // of an ensemble: "ocr@3 (image: crop) -> (text: words)"
  std::string combination;                              // how their answers become one; empty: they do not
  std::vector<std::pair<std::string, double>> weights;  // of its members, where they have any
};

/// What was learned, in a line: "batching pays 13x; about 40k rows/s on 2 instances". Of inputs of several shapes it is
/// that of those seen most, and says so; with allowed sizes it tells those that it knows. Empty when nothing was.
std::string learned_line(const Explanation& explanation);

/// What limits the version and what could be changed, as sentences for people.
std::vector<std::string> advice(const Explanation& explanation, const ModelDefinition& definition);

}  // namespace modelmill
