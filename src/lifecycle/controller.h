#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend_registry.h"
#include "base/result.h"
#include "catalog/catalog.h"
#include "catalog/demand.h"
#include "catalog/model_control.h"
#include "catalog/version_factory.h"
#include "catalog/workflow_control.h"
#include "lifecycle/control_settings.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/registered_version.h"
#include "runtime/metrics.h"
#include "state/model_state.h"

namespace modelmill {

/// The control plane: what is wanted becomes loaded, warm and published, and goes away drained. Loads run on its own
/// threads; the data plane sees only the tables it publishes. Thread-safe.
class LifecycleController {
 public:
  struct Options {
    /// Loads that run side by side.
    int load_threads = 2;
    LoadSettings load = settings_of_this_machine();
    ControlSettings control = {};
    /// Where what clients decide is kept; null: nowhere.
    OpenModelStates states = {};
  };

  LifecycleController(Catalog& catalog, Demand& demand, BackendRegistry& backends, MetricRegistry& metrics,
                      VersionFactory factory, EnsembleFactory ensembles, Options options);
  ~LifecycleController();

  /// Finds the models that the sources hold and loads those that
  /// should be served from the start. From then on they are watched, as the options say. Once. The status is an error
  /// only when a path is unusable as a whole (missing, or no model in it); a model that fails to load is in the catalog
  /// with its reason and in the log, and the others are served.
  Status load(const ModelSources& sources);

  /// Every model that should be served is.
  bool all_ready() const;

  /// What clients may ask for.
  ModelControl& control();
  WorkflowControl& workflows();
  /// What is to be served, without what is of workflows.
  std::vector<RegisteredVersion> registered() const;

  /// What the files of the command line say of GPUs' memory, under what the options say; also while models are served:
  /// what is loaded stays.
  void set_device_budgets(const DeviceBudgets& declared);

  /// A shutdown is near: loads that only the repository or clients want end, with an error; the models serve on.
  void hurry();
  /// Closes, drains and unloads everything. Idempotent; the destructor calls it.
  void shutdown();

 private:
  struct Rep;
  std::unique_ptr<Rep> rep_;
};

}  // namespace modelmill
