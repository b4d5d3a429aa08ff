#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/ensemble_definition.h"
#include "model/signature.h"

namespace modelmill {

struct EnsembleLevels;

/// How the requests of an ensemble are answered, as decided when it was loaded and held against its members. Tensors
/// and steps are told by their places in the lists. Immutable.
struct EnsemblePlan {
  /// An input or output of a model, and the ensemble's tensor that it is.
  struct Port {
    std::string name;
    size_t tensor = 0;
  };
  struct Input : Port {
    bool optional = false;
    /// What the member takes, where its batch dimension is not that of who writes the tensor: a shape is then made to
    /// fit by a batch of one, as Triton does it. Without the batch dimension.
    bool fits_batch = false;
    Shape dims = {};
  };
  struct Step {
    std::string model;
    int64_t version = 0;  // 0: the default one
    std::string label;    // instead of the version
    bool batched = false;
    std::vector<Input> inputs;
    std::vector<Port> outputs;
    /// The member's own inputs and outputs when it was held against the ensemble.
    Signature signature;
    /// It runs only where this is true of a tensor.
    std::optional<StepCondition> when = std::nullopt;
    size_t when_tensor = 0;
    /// All that write what it writes, in their order, itself among them: the first whose condition is true runs, and
    /// whose inputs are there. None where nobody else does.
    std::vector<size_t> alternatives = {};
    /// The member gives any number of answers to a request.
    bool decoupled = false;

    std::string text() const { return EnsembleStep{model, version, label, {}, {}}.text(); }
  };
  /// One output that is made of an output of each step.
  struct Combined {
    std::string name;
    DataType dtype = DataType::kInvalid;
    std::vector<size_t> tensors;  // by step
  };
  struct Combination {
    Combiner combiner = Combiner::kAverage;
    std::vector<Combined> outputs;
    std::vector<double> weights;  // by step
    std::string label_output;     // of a soft vote: the class
    size_t quorum = 1;
    std::chrono::microseconds deadline{0};  // 0: none
    /// nullopt: weights change only where somebody sets them.
    std::optional<WeightLearning> learning;
    size_t learned_output = 0;  // of `outputs`: that labels are for
  };

  std::string name;
  bool batched = false;
  std::vector<std::string> tensors;
  std::vector<Port> inputs;
  std::vector<Input> outputs;  // in the signature's order; none of a combination
  std::vector<Step> steps;
  std::vector<std::vector<size_t>> readers;  // steps, by the tensor that they read
  std::vector<size_t> writers;               // the (last) step that writes a tensor; steps.size(): the request has it
  bool conditional = false;                  // steps may be left out
  bool combines = false;
  Combination combination;
  /// Where steps have any number of answers, and so has the ensemble: how its steps lie between them; else null.
  std::shared_ptr<const EnsembleLevels> levels;
};

}  // namespace modelmill
