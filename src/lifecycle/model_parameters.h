#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "catalog/instances.h"
#include "lifecycle/load_settings.h"
#include "model/definition.h"

namespace modelmill {

// What a model's free-form parameters say to the server, in the place of what its definition says elsewhere.
// INVALID_ARGUMENT names the parameter and what it must be.

/// The latency objective of a model: its parameter `objective_p99_us`, or the operator's word. 0: none.
Result<std::chrono::microseconds> objective_of(const ModelDefinition& definition, const LoadSettings& settings);

/// The sizes that a model's batches are filled up to: its parameter `allowed_batch_sizes`.
Result<std::vector<int64_t>> allowed_sizes_of(const ModelDefinition& definition);

/// The cores that each instance's thread is held to, by the model's parameter `cpu_affinity`: "0-1;2,3" is cores 0 and
/// 1 for the first instance, 2 and 3 for the second, and so on in turn. Empty where it is not given. INVALID_ARGUMENT
/// when this process may not use one of them.
Result<std::vector<std::vector<int>>> affinity_of(const ModelDefinition& definition);

/// Bytes of a GPU's memory that each instance takes, by the model's parameter `instance_memory`, or as Triton's
/// settings of ONNX Runtime's accelerators bound it (`gpu_mem_limit`); 0 where nobody says.
Result<uint64_t> instance_memory_of(const ModelDefinition& definition);

/// Whether and how the number of a model's instances may change while it serves: its parameters `min_instances`,
/// `max_instances` and `scale_to_zero_after`, or the operator's word. fixed() where nobody said.
Result<InstanceLimits> limits_of(const ModelDefinition& definition, const LoadSettings& settings);

}  // namespace modelmill
