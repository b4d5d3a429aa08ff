#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "tensor/dtype.h"

namespace modelmill {

/// How an output of two models is compared.
enum class ComparisonKind : uint8_t {
  kEqual,         // element by element: texts, classes
  kTolerance,     // numbers that may differ by so much
  kTopK,          // the k largest of each row are the same ones
  kDistribution,  // how far each row is from the other as a distribution
  kFunction,      // what a function of a model says
};
inline constexpr size_t kComparisonKinds = 5;
/// "equal", "tolerance", "top_k", "kl", "function".
const char* comparison_kind_name(ComparisonKind kind);

/// The one input of a model that has such a function: a UINT8 of one dimension.
inline constexpr const char* kComparisonInput = "comparison";

struct OutputComparison {
  ComparisonKind kind = ComparisonKind::kEqual;
  /// Tolerance: |shadow - primary| <= absolute + relative * |primary|.
  double absolute = 0;
  double relative = 0;
  /// Top k.
  int64_t k = 1;
  /// Distribution: nats.
  double threshold = 0.05;
  /// The rows are logits, which a softmax makes distributions.
  bool softmax = false;
  /// Function: the model that has it, as a route's target is written.
  std::string model;

  bool operator==(const OutputComparison&) const = default;
};

/// What is done with an output that nothing is said of: numbers with a floating point have a tolerance that is that of
/// their type, all else must be equal.
OutputComparison default_comparison(DataType dtype);

}  // namespace modelmill
