#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "catalog/catalog.h"
#include "catalog/demand.h"
#include "catalog/model_control.h"
#include "catalog/version_factory.h"
#include "lifecycle/archives.h"
#include "lifecycle/backend_source.h"
#include "lifecycle/control_settings.h"
#include "lifecycle/cost_store.h"
#include "lifecycle/device_memory.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/model_record.h"
#include "lifecycle/registered_version.h"
#include "lifecycle/remote_models.h"
#include "lifecycle/repository_look.h"
#include "lifecycle/retirement.h"
#include "lifecycle/runtime_store.h"
#include "lifecycle/settling.h"
#include "lifecycle/version_loader.h"
#include "runtime/metrics.h"
#include "runtime/offload.h"
#include "runtime/steward.h"
#include "state/model_state.h"

namespace modelmill {

/// What LifecycleController does, over any source of backends. Every model has a target, what should be served of it;
/// looks at the repository, clients and demand set targets, and steps towards them (plan_swap()) are taken one after
/// the other under a lock, while loading and draining go on outside it: loads on a pool, each drain on a thread of its
/// own. Owns every loaded version. Thread-safe.
class ControllerCore final : public ModelControl {
  friend class Workflows;  // which serves its nodes by the same steps

 public:
  struct Parts {
    Catalog& catalog;
    Demand& demand;
    BackendSource backends;
    MetricRegistry& metrics;
    VersionFactory factory;
    /// Where what clients decide is kept; null: as long as the server runs.
    OpenModelStates states = {};
    /// Null: models that are made of others can't be served.
    EnsembleFactory ensembles = {};
  };

  ControllerCore(Parts parts, LoadSettings settings, ControlSettings control, int load_threads);
  ~ControllerCore() override;

  /// See LifecycleController.
  Status load_sources(ModelSources sources);
  bool all_ready() const;
  void shutdown();
  /// A shutdown is near: what looks and clients have begun to load ends, with an error. What serves, and what requests
  /// wait for, goes on.
  void hurry();
  void set_device_budgets(const DeviceBudgets& declared);

  void load(ModelLoad load, Done done) override;
  void unload(ModelUnload unload, Done done) override;
  void serve_listed(TfServingConfig list, Done done) override;
  void assign(VersionAssignment assignment, Done done) override;
  void add(ModelAddition addition, Added done) override;
  void withdraw(const std::string& model, int64_t version, Done done) override;
  void scale(InstanceRequest request, Done done) override;
  Result<ServedPlace> place(const std::string& model, int64_t version) const override;
  /// What is to be served, by model and version.
  std::vector<RegisteredVersion> registered() const;
  /// A request waits for the model.
  void wake(const std::string& model);

  /// Looks at the repository again, and takes what has changed. False: something changes still, look again after
  /// ControlSettings::settle. Blocks on the disk; one call at a time.
  bool look(TimePoint now);
  /// The folders whose changes are worth a look.
  std::vector<std::string> watched_folders() const;
  /// Whether files decide at all.
  bool looks() const { return control_.mode != ControlMode::kNone && control_.mode != ControlMode::kExplicit; }

  /// Begins the regular work: scaling, and keeping what was learned.
  void start();
  /// Looks at the versions whose number of instances may change, and changes it. Blocks while instances are made; one
  /// call at a time, at regular intervals.
  void scale(TimePoint now);
  /// Loads again what failed and is due.
  void retry_loads(TimePoint now);
  /// Keeps what was learned since the last time.
  void keep_costs();
  /// Looks whether a version should be run by another runtime, and has that seen to. One call at a time, at regular
  /// intervals.
  void watch_runtimes(TimePoint now);

 private:
  /// What is to be done once the lock is gone.
  struct Aftermath {
    std::vector<std::pair<std::unique_ptr<OwnedVersion>, std::function<void()>>> retire;
    std::vector<std::function<void()>> calls;
    std::vector<std::shared_ptr<const void>> released;  // files may go with it
  };
  /// One version to load.
  struct Job {
    std::string model;
    WantedVersion version;
    std::shared_ptr<const ModelTarget> target;
    /// Another runtime or layout for the version that serves; null: however it is best loaded.
    std::shared_ptr<const RuntimeLayout> layout = {};
    std::shared_ptr<RuntimeRecord> runtimes = {};  // of that version
    std::string files = {};                        // of a version that is restored: what its files must still be
  };
  struct Loaded;
  /// The files of a model are being brought here because somebody asks for it; an unload ends that, and a shutdown.
  struct Bringing {
    Bringing(ControllerCore& core, std::string model, bool for_request);
    ~Bringing();
    Bringing(const Bringing&) = delete;
    Bringing& operator=(const Bringing&) = delete;

    ControllerCore& core;
    const std::string model;
    const bool for_request;
    mutable std::atomic<bool> cancelled{false};
  };

  // Looks.
  /// `cancelled`: ends what is brought here.
  LookOptions look_options(const std::string& only, Archives::Look& archives, const std::atomic<bool>& cancelled);
  /// False, with nothing taken, also when the models are looked for elsewhere by now.
  bool take(Seen seen, const std::shared_ptr<const ModelSources>& sources, TimePoint now, bool first);
  /// `before`: what was decided of it in a life before; null: nothing.
  bool take(SeenModel seen, const ModelState* before, TimePoint now, bool first, Aftermath& after) MM_REQUIRES(mutex_);
  void take_problem(ModelRecord& model, const SeenModel& seen, Aftermath& after) MM_REQUIRES(mutex_);
  bool take_absence(ModelRecord& model, TimePoint now, Aftermath& after) MM_REQUIRES(mutex_);
  void let_go(ModelRecord& model, Aftermath& after) MM_REQUIRES(mutex_);
  std::shared_ptr<const ModelSources> sources() const;
  bool takes_changes(const SeenModel& seen) const;
  bool starts_awake(const std::string& model) const;
  void note_lost(const std::map<std::string, Status>& lost) MM_REQUIRES(mutex_);

  // Clients.
  Result<std::shared_ptr<const ModelTarget>> wanted_by(const ModelLoad& load, const std::atomic<bool>& cancelled);
  Result<SeenModel> seen_at_url(const ModelLoad& load, const std::atomic<bool>& cancelled);
  void load_now(const ModelLoad& load, const Done& done);
  Result<Seen> seen_of(const ModelSources& sources, const std::atomic<bool>& cancelled);
  void serve_listed_now(std::shared_ptr<const TfServingConfig> list, const Done& done);
  void forget_decisions(const Seen& seen);
  void set_listed(Seen seen, const std::function<void(Status)>& waiter, Aftermath& after) MM_REQUIRES(mutex_);
  Status bring_here(const std::string& model);
  void end_bringing(bool all);
  void unload_alone(const std::string& model, Done done);
  void unload_with_members(const std::string& model, const Done& done);
  void unload_now(const std::string& model, const Done& done);
  Done with_a_thread_more(Done done);
  Status assign_now(const VersionAssignment& assignment);

  Status refuse_clients() const;
  /// One name, which leaves no folder.
  static bool is_plain_name(const std::string& place);
  /// Where a version of a target came from.
  static std::string source_of(const ModelTarget& target, int64_t number);
  /// The files at a place that a client names.
  Result<LocalCopy> find_place(const std::string& place, const std::atomic<bool>& cancelled);
  Result<SeenModel> look_at_places(const std::vector<std::string>& paths, const std::atomic<bool>& cancelled);
  Result<std::shared_ptr<const ModelTarget>> target_with(const ModelAddition& addition, const LocalCopy& copy,
                                                         AddedModel& added, const std::atomic<bool>& cancelled);
  void serve_added(const AddedModel& added, std::shared_ptr<const ModelTarget> target, const Added& done);
  void add_now(const ModelAddition& addition, const Added& done);
  void withdraw_now(const std::string& model, int64_t version, const Done& done);
  Status scale_now(const InstanceRequest& request);
  /// `model` gets a target that a client decided on; `done` is told when it is reached. False: the server is stopping.
  bool serve_target(const std::string& model, std::shared_ptr<const ModelTarget> target, const Done& done);

  // What they decided.
  std::map<std::string, ModelState> read_states() const;
  void restore(ModelRecord& model, SeenModel& seen, const ModelState& state) MM_REQUIRES(mutex_);
  Result<ModelState> decide(const std::string& model, const std::function<Status(ModelState&)>& change);

  // Steps.
  void set_target(ModelRecord& model, std::shared_ptr<const ModelTarget> target, Aftermath& after) MM_REQUIRES(mutex_);
  void advance(ModelRecord& model, Aftermath& after) MM_REQUIRES(mutex_);
  bool restore_former(ModelRecord& model) MM_REQUIRES(mutex_);
  void settle(ModelRecord& model, Aftermath& after) MM_REQUIRES(mutex_);
  bool begin_load(ModelRecord& model, int64_t number, Aftermath& after) MM_REQUIRES(mutex_);
  void run(const Job& job);
  Loaded load_job(const Job& job);
  Result<LoadedVersion> load_best(const Job& job, Loaded& out);
  bool is_abandoned(const Job& job) const;
  static std::string files_stamp_of(const Job& job);
  void finish(const Job& job, Loaded loaded);
  void abandon(ModelRecord& model, const Job& job) MM_REQUIRES(mutex_);
  Status accept(ModelRecord& model, const Job& job, Loaded& loaded, Aftermath& after) MM_REQUIRES(mutex_);
  void reject(ModelRecord& model, const Job& job, const Status& reason) MM_REQUIRES(mutex_);
  void note_load(const Job& job, std::optional<Duration> took, std::optional<Duration> warmed_up_in = {}) const;
  void note_failure(ModelRecord& model, const Job& job) MM_REQUIRES(mutex_);
  Status check_compatible(const ModelRecord& model, const ModelVersion& version, bool allowed) const
      MM_REQUIRES(mutex_);
  void take_from_clients(ModelRecord& model, int64_t number, const std::string& reason, Aftermath& after)
      MM_REQUIRES(mutex_);
  void retire(ModelRecord& model, int64_t number, std::unique_ptr<OwnedVersion> version, uint64_t bytes,
              Aftermath& after) MM_REQUIRES(mutex_);
  void gone(const std::string& model, int64_t number, uint64_t bytes);
  void finish_aftermath(Aftermath after);
  void forget_what_is_over(ModelRecord& model) MM_REQUIRES(mutex_);
  void put_entry(const ModelRecord& model) MM_REQUIRES(mutex_);
  /// What is in the catalog already is not published again: who looks for changes there finds those that are.
  void publish_table() MM_REQUIRES(mutex_);
  /// The table, and what it means for ensembles.
  void publish(Aftermath& after) MM_REQUIRES(mutex_);
  bool loads_on_demand(const ModelRecord& model) const;
  LearnedEntries learned_before(const std::string& model) const;
  /// The version with its other entry points; null when it could not be started.
  std::shared_ptr<ModelVersion> make_version(LoadedVersion loaded, const std::shared_ptr<VersionStats>& stats);
  std::shared_ptr<VersionStats> stats_of(const Job& job, const ModelDefinition& definition);

  // Retries.
  bool try_again(ModelRecord& model, const Job& job, const Status& reason, Aftermath& after) MM_REQUIRES(mutex_);
  void drop_unwanted_retries(ModelRecord& model) MM_REQUIRES(mutex_);
  void give_up_retries();

  // Ensembles.
  std::vector<std::string> members_of(const ModelRecord& model) const MM_REQUIRES(mutex_);
  bool leads_to(const std::string& from, const std::string& to) const MM_REQUIRES(mutex_);
  bool members_are_settled(ModelRecord& model, Aftermath& after) MM_REQUIRES(mutex_);
  std::string members_key(const ModelRecord& model) const MM_REQUIRES(mutex_);
  bool members_serve(const ModelRecord& model) const MM_REQUIRES(mutex_);
  bool look_after_ensembles(Aftermath& after) MM_REQUIRES(mutex_);
  Loaded load_ensemble(const Job& job);
  Status check_members(const Job& job) const;
  std::vector<std::string> lone_members(const std::string& name) const MM_REQUIRES(mutex_);

  bool follows(const ModelVersion& version, const InstanceScaler& scaler) const;

  // Runtimes.
  static void prepare_runtimes(const RuntimeRecord& runtimes, ModelVersion& version);
  void compare_runtimes_of(const Job& job);
  void change_runtime(const Job& job, const std::string& reason);
  VersionRecord* still_serving(const Job& job) MM_REQUIRES(mutex_);
  void keep_choice(const RuntimeRecord& runtimes, const RuntimeKnowledge& known);

  // Memory.
  enum class Room { kThere, kComing, kNone };
  Room room_for(ModelRecord& model, int64_t number, uint64_t needed, Aftermath& after) MM_REQUIRES(mutex_);
  Status keep_within_budget(const ModelRecord& model, Aftermath& after) MM_REQUIRES(mutex_);
  void put_away(ModelRecord& model, Aftermath& after) MM_REQUIRES(mutex_);
  Result<std::vector<std::string>> leave_for(const ModelRecord& model, uint64_t needed) const MM_REQUIRES(mutex_);
  bool make_room_on(const std::string& model, int gpu, uint64_t bytes);
  bool leave_gpu_for(const std::string& model, int gpu, uint64_t bytes, Aftermath& after) MM_REQUIRES(mutex_);
  uint64_t leaving() const MM_REQUIRES(mutex_);
  uint64_t resident() const MM_REQUIRES(mutex_);

  Catalog& catalog_;
  Demand& demand_;
  const BackendSource backends_;
  MetricRegistry& metrics_;
  const VersionFactory factory_;
  const EnsembleFactory ensembles_;
  const std::shared_ptr<DeviceMemory> devices_;
  const LoadSettings settings_;
  const ControlSettings control_;
  const CostStore costs_;
  const RuntimeStore runtimes_;
  const OpenModelStates states_;
  RemoteModels remote_;
  Archives archives_;

  std::atomic<bool> stopping_{false};
  std::atomic<bool> hurrying_{false};
  std::atomic<int> loads_running_{0};
  Mutex scaling_mutex_;  // numbers of instances are changed one at a time
  mutable Mutex mutex_;
  CondVar changed_;
  std::shared_ptr<const ModelSources> sources_ MM_GUARDED_BY(mutex_) = std::make_shared<const ModelSources>();
  std::map<std::string, Status> lost_ MM_GUARDED_BY(mutex_);
  std::set<std::string> notes_ MM_GUARDED_BY(mutex_);  // that were logged
  std::map<std::string, ModelRecord> models_ MM_GUARDED_BY(mutex_);
  uint64_t last_serial_ MM_GUARDED_BY(mutex_) = 0;  // VersionRecord::serial that was given last
  bool taking_ MM_GUARDED_BY(mutex_) = false;       // a look is being taken: not all models are known yet
  std::set<const Bringing*> bringing_ MM_GUARDED_BY(mutex_);
  std::set<std::string> waiting_for_room_ MM_GUARDED_BY(mutex_);
  ModelTable table_ MM_GUARDED_BY(mutex_);
  bool table_changed_ MM_GUARDED_BY(mutex_) = true;  // it is not what the catalog has
  Settling settling_ MM_GUARDED_BY(mutex_);

  Retirement retirement_;
  Steward steward_;
  Offload trials_;  // one after the other: they measure
  Offload pool_;    // these two go first: their tasks use the others
};

}  // namespace modelmill
