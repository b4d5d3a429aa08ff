#pragma once

#include <string>

#include "lifecycle/direct_run.h"

namespace modelmill {

/// How far an answer is from another one.
struct AnswerDistance {
  /// The largest difference of two values of an output, relative to the largest value of that output. Infinite where a
  /// value is not a number, or not finite, in one of the answers only.
  double relative = 0;
  std::string output;  // which output that is; empty: all are equal
  /// Why they can't be compared, or differ where no difference is allowed (integers, booleans, strings, shapes), as a
  /// sentence's part that names the output; empty: they can.
  std::string problem;
};

/// Compares the outputs by name; those of `reference` must all be there. Pure.
AnswerDistance answer_distance(const TensorList& reference, const TensorList& other);

}  // namespace modelmill
