#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/instances.h"
#include "catalog/load_attempts.h"
#include "catalog/series_settings.h"

namespace modelmill {

class DeviceMemory;
class ExecutionLimiter;

/// Whether the rows of a model can run together, as was found out by trying.
struct BatchingDecision {
  std::string why_not;  // empty: they can
  int64_t rows = 0;     // that an execution may have, at most
  /// The size of open dimensions with which it was tried; nullopt: none worked.
  std::optional<int64_t> open_size;
};

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
  /// Which series versions have, and whether a GPU's memory has Triton's.
  SeriesSettings series;
  bool gpu_series = true;
  /// Told of loads; null: nobody is.
  std::shared_ptr<LoadAttempts> attempts;
  /// Models are run before they serve; and how often each request that a model brings along for that.
  bool warm_up = true;
  int warm_up_iterations = 1;
  /// For finding out, at loading, what batches cost.
  Duration measure_budget = std::chrono::milliseconds(30);
  /// What runs the models of which several runtimes could: "auto", the fastest, found by measurement; "default", the
  /// one that the file's ending stands for; or a backend's name.
  std::string runtime = "auto";
  /// Lower precisions than models' own that "auto" may choose for those that say nothing themselves, "bf16"; and by how
  /// much answers may differ, of those and of others; nullopt: 1e-4, and no lower precision.
  std::vector<std::string> runtime_precisions;
  std::optional<double> runtime_tolerance;
  /// Models whose backend runs their code are loaded also when they come from a URL, or a client sent them.
  bool allow_url_code = false;
  bool allow_sent_code = false;
  /// The cache of models from URLs; empty: there is none.
  std::string cache_directory;
  /// Known of the model from another of its runtimes, so that it need not be tried again; nullopt: nothing is.
  std::optional<BatchingDecision> batching;
  /// Of one load: what the model is computed in, where that is lower than its own precision, by its backend or because
  /// another file, in place of the model's own, has it so. Both empty: as it is.
  std::string precision;
  std::string precision_file;
  /// CPU cores to share out; GPUs there are, and what they are called by their makers.
  int cores = 1;
  std::vector<int> gpus;
  std::vector<std::string> gpu_models;
  /// What executions take before they begin, of those models that say so; null: nothing.
  std::shared_ptr<ExecutionLimiter> limiter;
  /// The GPUs' memory; null: it is not counted. And, for a load that others may go for, what has them go.
  std::shared_ptr<DeviceMemory> devices;
  std::function<bool(const std::string& model, int gpu, uint64_t bytes)> make_room;
};

/// The cores and GPUs of this machine.
LoadSettings settings_of_this_machine();

}  // namespace modelmill
