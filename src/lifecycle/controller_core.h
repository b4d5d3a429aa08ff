#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/catalog.h"
#include "catalog/version_factory.h"
#include "catalog/version_stats.h"
#include "lifecycle/backend_source.h"
#include "lifecycle/cost_store.h"
#include "lifecycle/instance_scaler.h"
#include "lifecycle/steward.h"
#include "lifecycle/version_loader.h"
#include "runtime/metrics.h"

namespace modelmill {

/// What LifecycleController does, over any source of backends. Owns every loaded version: a version is in the table it
/// publishes, and goes when its gate is closed and empty. Thread-safe.
class ControllerCore {
 public:
  ControllerCore(Catalog& catalog, BackendSource backends, MetricRegistry& metrics, VersionFactory factory,
                 LoadSettings settings, int load_threads);
  ~ControllerCore();

  /// See LifecycleController.
  Status load_paths(const std::vector<std::string>& paths);
  bool all_ready() const;
  void shutdown();

  /// Begins the regular work: scaling, and keeping what was learned.
  void start();

  /// Looks at the versions whose number of instances may change, and changes it. Blocks while instances are made; one
  /// call at a time, at regular intervals.
  void scale(TimePoint now);
  /// Keeps what was learned since the last time.
  void keep_costs();

 private:
  struct Version {
    VersionState state = VersionState::kLoading;
    std::string reason;
    std::shared_ptr<ModelVersion> loaded;
    std::shared_ptr<InstanceScaler> scaler;  // null: the number of instances is fixed
    std::string cost_key;
    int64_t executions_kept = 0;  // that the store knows of
  };
  using VersionKey = std::pair<std::string, int64_t>;

  /// One version to load.
  struct Job {
    FoundModel model;
    FoundVersion version;
    ModelDefinition definition;
  };

  std::vector<Job> plan(std::vector<FoundModel> found);
  void run(const std::vector<Job>& jobs);
  void load(const Job& job, const std::vector<ModelFormat>& formats);
  void refuse(const FoundModel& model, const Status& reason);
  void set_failed(const VersionKey& key, const Status& reason);
  std::shared_ptr<VersionStats> stats_of(const VersionKey& key, const ModelDefinition& definition);
  void publish() MM_REQUIRES(mutex_);

  Catalog& catalog_;
  const BackendSource backends_;
  MetricRegistry& metrics_;
  const VersionFactory factory_;
  const LoadSettings settings_;
  const int load_threads_;
  const CostStore costs_;

  std::atomic<bool> stopping_{false};
  Steward steward_;
  mutable Mutex mutex_;
  std::map<std::string, std::map<int64_t, Version>> models_ MM_GUARDED_BY(mutex_);
  std::map<VersionKey, std::shared_ptr<VersionStats>> stats_ MM_GUARDED_BY(mutex_);
};

}  // namespace modelmill
