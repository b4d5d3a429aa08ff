#pragma once

#include <vector>

#include "bridge.h"
#include "wrapper_source.h"

namespace modelmill::pytorch {

/// One input or output that is served.
struct Port {
  backend::TensorSpec spec;
  size_t place = 0;              // among the program's arguments, or its outputs; of a dictionary's elements always 0
  std::vector<int64_t> example;  // a size for each of the shape, to try the model with
  std::vector<PackageInput::Size> limits;  // of a package's inputs; empty: none are known
};

/// The arguments of a package's function: as many as its code takes, named as its structure says.
std::vector<Argument> package_arguments(const Description& description, const std::vector<PackageInput>* inputs);

/// The inputs, by the configuration where it lists them, else by what the file tells. Throws Error when neither does.
/// `known`: what a package's code expects of its inputs, or null.
std::vector<Port> make_inputs(const backend::ModelConfig& config, const std::vector<Argument>& arguments,
                              const std::vector<PackageInput>* known);

/// Whether the program takes a dictionary of tensors, whose elements are the inputs.
bool takes_dictionary(const std::vector<Argument>& arguments);

}  // namespace modelmill::pytorch
