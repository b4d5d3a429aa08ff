#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend/backend_registry.h"
#include "base/mutex.h"
#include "cache/version_cache.h"
#include "catalog/catalog.h"
#include "catalog/version_factory.h"
#include "dialect/graphs/graph_states.h"
#include "dialect/graphs/graph_table.h"
#include "experiment/experiment_keeper.h"
#include "learning/weight_keeper.h"
#include "lifecycle/controller.h"
#include "rollout/rollout_keeper.h"
#include "rollout/route_keeper.h"
#include "route/routes.h"
#include "runtime/metrics.h"
#include "serve/ensemble_members.h"
#include "serve/inference.h"
#include "server/code_control.h"
#include "server/file_watcher.h"
#include "server/server_config.h"
#include "state/file_store.h"
#include "state/model_state.h"

namespace modelmill {

/// The models and everything that runs them, without a wire: both planes wired together. Thread-safe.
/// What submits requests must be stopped before it is destroyed.
class Engine {
 public:
  /// `offload` has what is too much for a loop; it outlives the engine, or is null.
  explicit Engine(const ServerConfig& config, Offload* offload = nullptr);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Loads what the configuration's paths hold. An error when a path is unusable, or when no model at all could be
  /// loaded: then it says why for each.
  Status load();
  /// Drains and unloads every model. Idempotent.
  void shutdown();

  MetricRegistry& metrics() { return metrics_; }
  Catalog& catalog() { return catalog_; }
  Inference& inference() { return inference_; }
  Tracer& tracer() { return tracer_; }
  /// What TensorFlow Serving tells of batches, or null; and of loads.
  const std::shared_ptr<BatchSeries>& batches() const { return batches_; }
  const std::shared_ptr<LoadAttempts>& load_attempts() const { return load_attempts_; }
  BackendRegistry& backends() { return *backends_; }
  LifecycleController& lifecycle() { return *lifecycle_; }
  RouteControl& route_control() { return *route_keeper_; }
  RolloutControl& rollout_control() { return *rollout_keeper_; }
  ExperimentControl& experiment_control() { return *experiment_keeper_; }
  WeightControl& weight_control() { return *weight_keeper_; }
  const Routes& routes() const { return routes_; }
  const graphs::GraphTable& graphs() const { return graphs_; }
  const graphs::GraphStates& graph_states() const { return graph_states_; }

 private:
  VersionFactory factory();
  /// Null: the model doesn't want one, or the server has none.
  std::shared_ptr<VersionCache> cache_of(const ModelDefinition& definition, const std::shared_ptr<VersionStats>& stats,
                                         VersionCache::Ground ground = nullptr);
  /// What models' code may ask for.
  ServerFunctions server_functions();
  /// Null: nothing was kept yet, and `make` is not given.
  Result<FileStore*> open_store(bool make);
  /// See OpenModelStates.
  Result<ModelStates*> open_states(bool make);
  std::unique_ptr<RouteKeeper> make_route_keeper();
  std::unique_ptr<RolloutKeeper> make_rollout_keeper();
  std::unique_ptr<ExperimentKeeper> make_experiment_keeper();
  /// Where those keep what they decide; null: nowhere.
  std::function<Result<StateStore*>(bool make)> store_of_decisions();
  /// Puts in force what the files of the command line declare: routes, rollouts, experiments, and the budgets of
  /// devices. The files.
  Result<std::vector<std::string>> declare_routes();
  /// The same of inference graphs, which lead to models and routes, all or none. `places`: where they come from.
  /// NOT_FOUND where only models lack.
  Status declare_graphs(std::vector<std::string>& places);
  /// Both, once the server runs: what is wrong is logged.
  FileWatcher::Next declare_again();
  /// Does so again whenever one of them changes, where files decide anything.
  void watch_routes(std::vector<std::string> files);

  const ServerConfig config_;
  Offload* const offload_;
  MetricRegistry metrics_;
  Catalog catalog_;
  const std::shared_ptr<ResponseCache> answers_;  // null: answers are not kept
  Demand demand_;
  Routes routes_{metrics_};
  graphs::GraphTable graphs_;
  Tracer tracer_;
  const std::shared_ptr<BatchSeries> batches_;
  const std::shared_ptr<LoadAttempts> load_attempts_ = std::make_shared<LoadAttempts>();
  Inference inference_;
  graphs::GraphStates graph_states_{graphs_, inference_};
  ServedMembers members_{inference_};
  // What clients decide; null: nothing was kept yet.
  Mutex store_mutex_;
  std::unique_ptr<FileStore> store_ MM_GUARDED_BY(store_mutex_);
  std::unique_ptr<ModelStates> states_ MM_GUARDED_BY(store_mutex_);
  std::unique_ptr<WeightKeeper> weight_keeper_;
  std::unique_ptr<RouteKeeper> route_keeper_;
  std::unique_ptr<CodeControl> code_control_;
  // Models hold on to their backends' libraries, which are never closed; the lifecycle goes first all the same.
  std::unique_ptr<BackendRegistry> backends_;
  std::unique_ptr<LifecycleController> lifecycle_;
  std::unique_ptr<RolloutKeeper> rollout_keeper_;
  std::unique_ptr<ExperimentKeeper> experiment_keeper_;
  std::string told_of_routes_, told_of_graphs_;  // what was logged last of what is not taken; of that one's thread
  std::unique_ptr<FileWatcher> route_files_;     // of routes and graphs; null: there are none, or files decide nothing
};

/// The registry of backends that `config` asks for. `metrics` may be null.
std::unique_ptr<BackendRegistry> make_backend_registry(const ServerConfig& config, MetricRegistry* metrics,
                                                       ServerFunctions server = {});

}  // namespace modelmill
