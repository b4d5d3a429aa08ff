#pragma once

#include <chrono>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "catalog/instance_load.h"
#include "model/definition.h"

namespace modelmill {

/// What the machine and the operator say about every load.
struct LoadSettings {
  /// Instances of each model that says nothing itself, threads inside an instance. 0: chosen.
  int instances = 0;
  int instance_threads = 0;
  bool auto_complete_config = true;
  /// Latency objectives of models that have none of their own, by name; "" is that of all others.
  std::map<std::string, std::chrono::microseconds> objectives;
  /// Bounds of the number of instances of models that have none of their own; max 0: the number is fixed.
  InstanceLimits instance_limits{0, 0, {}};
  /// The folder in which what was learned of costs is kept; empty: nowhere.
  std::string cost_directory;
  /// For finding out, at loading, what batches cost.
  Duration measure_budget = std::chrono::milliseconds(30);
  /// CPU cores to share out; GPUs there are.
  int cores = 1;
  std::vector<int> gpus;
};

/// The cores and GPUs of this machine.
LoadSettings settings_of_this_machine();

/// The latency objective of a model: its parameter `objective_p99_us`, or the operator's word. 0: none.
Result<std::chrono::microseconds> objective_of(const ModelDefinition& definition, const LoadSettings& settings);

/// The sizes that a model's batches are filled up to: its parameter `allowed_batch_sizes`.
Result<std::vector<int64_t>> allowed_sizes_of(const ModelDefinition& definition);

/// The cores that each instance's thread is held to, by the model's parameter `cpu_affinity`: "0-1;2,3" is cores 0 and
/// 1 for the first instance, 2 and 3 for the second, and so on in turn. Empty where it is not given. INVALID_ARGUMENT
/// when this process may not use one of them.
Result<std::vector<std::vector<int>>> affinity_of(const ModelDefinition& definition);

/// Whether and how the number of a model's instances may change while it serves: its parameters `min_instances`,
/// `max_instances` and `scale_to_zero_after`, or the operator's word. fixed() where nobody said.
Result<InstanceLimits> limits_of(const ModelDefinition& definition, const LoadSettings& settings);

}  // namespace modelmill
