#pragma once

#include <string>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace modelmill {

/// One input or output as clients see it.
struct TensorSpec {
  std::string name;
  DataType dtype = DataType::kInvalid;
  /// The whole shape, batch dimension included; -1 where any size is accepted.
  Shape shape;
  /// For each dimension the name the model gives it ("batch", "N"), or empty. Same length as shape, or empty.
  std::vector<std::string> symbols;
  /// Inputs only: a request may leave it out.
  bool optional = false;
};

/// What a loaded version takes and gives. Immutable once the version is published.
struct Signature {
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  /// Inputs and outputs may be any: those above are what the model's author says of it.
  bool open = false;

  const TensorSpec* input(std::string_view name) const;
  const TensorSpec* output(std::string_view name) const;
};

}  // namespace modelmill
