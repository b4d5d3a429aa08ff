#pragma once

#include <memory>
#include <string>
#include <vector>

#include "modelmill/backend.hpp"

namespace modelmill::backend {

/// What boosted trees can tell of a row.
enum class Quantity {
  kValue,          // what the objective makes of it: a number, a probability, a class
  kProbabilities,  // the same, but of a model that tells classes their probabilities; of two that of the second alone
  kMargin,         // the sum of the leaves
  kLeaf,           // in which leaf of each tree the row ends
  kContributions,  // of each feature to the margin, the bias last
};

/// What a model's file says of itself.
struct BoosterFacts {
  int64_t features = 0;
  std::vector<std::string> feature_names;  // empty, or one for each feature
  std::string objective;
  bool classifier = false;        // its values can be turned into classes
  bool multiclass = false;        // a value for each class
  bool probabilities = false;     // it can tell them
  bool saved_classifier = false;  // saved by an estimator whose predict() gives classes
};

/// Computes one quantity of row after row. One thread at a time.
class Predictor {
 public:
  virtual ~Predictor() = default;
  /// `count` rows (one at least) of all features, row-major, of the type that the predictor was made for. Returns the
  /// results one row after another, as FP32 or FP64 (Booster::result_type); they live until the thread's next call on
  /// a predictor of this booster.
  virtual const void* predict(const void* rows, int64_t count) = 0;
};

/// A loaded model of a tree library. Thread-safe once it is made; outlives its predictors.
class Booster {
 public:
  virtual ~Booster() = default;

  const BoosterFacts& facts() const { return facts_; }
  /// MM_FP32 or MM_FP64.
  virtual mm_dtype result_type() const = 0;
  /// The shape of one row's results: {} for a number.
  virtual std::vector<int64_t> row_shape() const = 0;
  /// Predictors neither wait for each other nor leave the calling thread.
  virtual bool never_blocks() const = 0;
  /// `input`: MM_FP32 or MM_FP64.
  virtual std::unique_ptr<Predictor> make_predictor(mm_dtype input) const = 0;

 protected:
  BoosterFacts facts_;
};

}  // namespace modelmill::backend
