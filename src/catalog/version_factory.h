#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "backend/backend_model.h"
#include "catalog/ensemble_plan.h"
#include "catalog/explanation.h"
#include "catalog/instances.h"
#include "catalog/learned_cost.h"
#include "catalog/model_version.h"

namespace modelmill {

/// How a version is to be run, as decided at its loading from its definition, its backend and the probe.
struct VersionPlan {
  /// Rows of one execution, at most; 1 or less: every request runs alone.
  int64_t max_batch_rows = 1;
  /// Inputs and outputs have a batch dimension (also when max_batch_rows is 1).
  bool has_batch_dimension = false;
  /// Requests of unequal shapes may share an execution (a ragged backend).
  bool ragged = false;
  /// The backend declared itself inline-safe.
  bool inline_safe = false;
  bool concurrent_execute = false;
  /// Executions at a time on each instance, for concurrent_execute. 0: one for each core.
  int concurrency = 0;
  BatchingDefinition batching;
  /// Where each of the instances runs; those beyond its end, on the CPU.
  std::vector<InstancePlace> places;
  /// An execution may have to wait for what it takes.
  bool takes_resources() const {
    return std::any_of(places.begin(), places.end(), [](const InstancePlace& place) { return place.claim != nullptr; });
  }
  InstanceLimits instance_limits;
  /// Makes one more instance, ready to serve, at run time; null: their number is fixed. `place` is where it is wanted,
  /// and then where it is.
  std::function<Result<std::unique_ptr<BackendInstance>>(BackendModel& model, int index, InstancePlace& place)>
      make_instance;
  /// The GPUs of which it holds memory; null: none. Any thread.
  std::function<std::vector<DeviceUse>()> device_uses;
  /// Called, quickly and under a lock, when a request waits and there is no instance; may be null.
  std::function<void()> wants_instance;
  /// Learn what executions cost, and run no more rows together than pays.
  bool cost_aware = false;
  /// What was learned before, or at loading.
  std::vector<LearnedCost> costs;
  /// Bounds of the queue; the model's queue policy may lower the first.
  int64_t max_queue_requests = 16'384;
  int64_t max_queue_bytes = int64_t{4} << 30;
};

/// Makes the data plane's version of a loaded model: it owns the model and its instances (at least one), and outlives
/// the requests inside its gate. Given to the control plane by the composition root, so that the planes stay apart.
using VersionFactory = std::function<std::shared_ptr<ModelVersion>(
    ModelVersion::Description, std::shared_ptr<VersionStats>, VersionPlan, std::unique_ptr<BackendModel>,
    std::vector<std::unique_ptr<BackendInstance>>)>;

/// Makes a version that is made of others: its requests become requests to its members.
using EnsembleFactory = std::function<std::shared_ptr<ModelVersion>(
    ModelVersion::Description, std::shared_ptr<VersionStats>, std::shared_ptr<const EnsemblePlan>)>;

}  // namespace modelmill
