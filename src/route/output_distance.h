#pragma once

#include <map>
#include <span>
#include <string>

#include "model/output_comparison.h"
#include "tensor/tensor.h"

namespace modelmill {

/// How far an output of a shadow is from the primary's. Infinite where they can't be compared: another shape, an output
/// that is missing, a number that is finite on one side only.
struct OutputDistance {
  std::string output;  // empty: a function has compared all of them
  ComparisonKind kind = ComparisonKind::kEqual;
  /// In the kind's own unit. Function: its own. Equal: the share of elements that differ. Tolerance: the largest
  /// |shadow - primary| over what it may be. Top k: the share of the k largest that are others, in the worst row.
  /// Distribution: nats of the worst row.
  double distance = 0;
  /// Up to which the outputs agree.
  double limit = 0;
  std::string problem;  // why they can't be compared, or what a function says of it; empty: nothing

  bool disagrees() const { return distance > limit; }
  /// Times the limit; where that is 0, 1 more than the distance. Above 1 exactly where they disagree, so that it orders
  /// distances of all kinds.
  double excess() const;
};

/// Of one output. `primary` is the reference. The bytes of both fit their shapes.
OutputDistance output_distance(const Tensor& primary, const Tensor& shadow, const OutputComparison& comparison);

/// The worst of the primary's outputs; those that only the shadow has don't count. `comparisons`: by output, "*" for
/// all others, and what is not there is compared by default. Without outputs there is no distance; what both have and a
/// function is to compare (function_comparison.h) counts as near.
OutputDistance answer_distance(std::span<const Tensor> primary, std::span<const Tensor> shadow,
                               const std::map<std::string, OutputComparison>& comparisons);

}  // namespace modelmill
