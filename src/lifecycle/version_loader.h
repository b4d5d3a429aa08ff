#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "backend/backend_model.h"
#include "catalog/model_version.h"
#include "catalog/version_factory.h"
#include "lifecycle/backend_source.h"
#include "repository/find_models.h"

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
  /// For finding out, at loading, what batches cost.
  Duration measure_budget = std::chrono::milliseconds(30);
  /// CPU cores to share out; GPUs there are.
  int cores = 1;
  std::vector<int> gpus;
};

/// The cores and GPUs of this machine.
LoadSettings settings_of_this_machine();

/// A version that is ready to be made into a ModelVersion: loaded, decided upon, warmed up.
struct LoadedVersion {
  ModelVersion::Description description;
  VersionPlan plan;
  std::unique_ptr<BackendModel> model;
  std::vector<std::unique_ptr<BackendInstance>> instances;  // destroyed before the model
};

/// Loads one version: finds its backend and file, loads it, holds its configuration against it, decides how it is
/// batched (by a probe where nobody said), makes its instances and warms them up. Blocks; any thread.
/// `definition` is what the model's configuration says; `formats` are those of the backends that there are.
Result<LoadedVersion> load_version(const FoundModel& found, const FoundVersion& version, ModelDefinition definition,
                                   std::span<const ModelFormat> formats, const BackendSource& backends,
                                   const LoadSettings& settings);

/// The formats of the backends that can be opened.
std::vector<ModelFormat> formats_of(const BackendSource& backends);

}  // namespace modelmill
