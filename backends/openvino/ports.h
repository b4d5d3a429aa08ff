#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "ov.h"

namespace modelmill::ov {

/// One input or output that is served.
struct ModelPort {
  backend::TensorSpec spec;
  size_t index = 0;  // among the model's inputs or outputs
  ElementType type = kDynamic;
  bool rank_known = true;
  std::vector<Dimension> sizes;  // as the model has them, with their bounds

  bool open() const {
    return std::any_of(spec.shape.begin(), spec.shape.end(), [](int64_t size) { return size < 0; });
  }
};

/// The inputs and outputs of a model that has been read. Throws an Error that names a port which can't be served.
struct Ports {
  std::vector<ModelPort> inputs, outputs;

  static Ports read(const Model& model);
};

/// Gives the model's inputs these shapes, -1 for any size; throws with OpenVINO's words when it can't have them, and
/// the model is then as before.
void reshape(const Model& model, const std::vector<ModelPort>& inputs, const std::vector<std::vector<int64_t>>& shapes);
/// Gives them the sizes that the ports tell.
void reshape(const Model& model, const std::vector<ModelPort>& inputs);

/// Finds out whether the first dimension of every input is one and the same that every output has too, by giving the
/// model a number of rows that nothing else in it has; if so the specs get the symbol "batch" there. Where the model
/// can't be asked (a bound on a dimension, for one) they stay without.
void find_batch_dimension(const Model& model, Ports& ports);

}  // namespace modelmill::ov
