#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/status.h"
#include "catalog/ensemble_plan.h"

namespace modelmill {

/// An ensemble with steps that give any number of answers, in levels: what comes before the first of them runs once for
/// a request, what comes after it once for each of its answers, and so on with the next. Immutable.
struct EnsembleLevels {
  struct Level {
    /// Its steps, giving what the deeper levels and the next decoupled step need; null of the deepest.
    std::shared_ptr<const EnsemblePlan> passing;
    /// Its steps, giving the outputs of the ensemble: for requests that want none of a deeper level.
    std::shared_ptr<const EnsemblePlan> last;
    /// The step whose every answer is a request to the next level; of all levels but the deepest.
    size_t source = 0;
    /// A deeper level asks that step's model too, which then must not be kept waiting.
    bool reenters = false;
  };
  std::vector<Level> levels;
  /// The level that an output is of, in the order of the plan's outputs.
  std::vector<size_t> output_levels;
  /// How many answers of a decoupled step may be under way before it is held up.
  size_t most_under_way = 0;
};

/// Puts the plan's levels into it; none where no step that the outputs hang on is decoupled. A step or an ensemble's
/// outputs that need what comes of decoupled steps side by side are INVALID_ARGUMENT, in Triton's words; UNIMPLEMENTED
/// are decoupled steps with conditions or alternatives. `most_under_way` 0: as many as suits. Pure.
Status split_into_levels(EnsemblePlan& plan, size_t most_under_way = 0);

}  // namespace modelmill
