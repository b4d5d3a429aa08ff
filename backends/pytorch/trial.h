#pragma once

#include <vector>

#include "signature.h"

namespace modelmill::pytorch {

/// Calls a model with zeros, to learn what no file tells: its outputs, and whether a first size of its inputs is free
/// and the batch. Sizes of `inputs` that turn out to be fixed are set to those of the example; where all first sizes
/// follow each other they are named as the batch. Returns the outputs. Throws Error when the model fails.
std::vector<Port> try_model(BridgeModel& model, size_t arguments, std::vector<Port>& inputs, bool inputs_configured,
                            const RunOptions& options, const std::vector<std::string>& output_names);

/// The value of an input for a run; of the ABI's `dtype` and `shape`, without its data.
InputValue value_for(const Port& port, mm_dtype dtype, std::span<const int64_t> shape);

}  // namespace modelmill::pytorch
