#pragma once

#include <optional>
#include <string>

#include "support/booster.h"

namespace modelmill::backend {

/// What is served of a model, as its parameter `output` says.
enum class TreeOutput { kValue, kPredict, kProbability, kMargin, kClass, kLeaf, kContributions };

/// How a tree model is served: its parameters, those of Triton's FIL backend, and what its configuration calls its
/// input and output. A value.
struct TreeOptions {
  /// Throws Error(MM_INVALID_ARGUMENT) that names the parameter.
  static TreeOptions read(const ModelConfig& config, uint32_t instance_threads);

  /// What the booster has to compute.
  Quantity quantity() const;
  /// Decides what `predict` means for this model, and refuses what the model can't tell.
  void settle(const BoosterFacts& facts);

  TreeOutput output = TreeOutput::kValue;
  bool columns = false;               // an input for each feature
  double threshold = 0.5;             // of two classes, the second begins above it
  std::optional<int64_t> iterations;  // rounds of boosting; 0: all; nullopt: as the framework itself
  int threads = 1;
  bool fil = false;       // as Triton's FIL backend names and shapes things
  bool rank_two = false;  // a number for each row is [n,1], not [n]
  std::string input_name = "input-0";
  std::string output_name = "predict";
  mm_dtype input_type = MM_FP32;
  mm_dtype output_type = MM_DTYPE_INVALID;  // as the quantity comes
};

}  // namespace modelmill::backend
